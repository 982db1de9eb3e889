"""A self-contained page with an experiment's results. Imports neither torch nor Hydra."""
