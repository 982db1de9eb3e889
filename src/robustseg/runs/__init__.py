"""The run folder: identity, lock, state, files. Imports neither torch nor Hydra."""
