"""Tables from run folders. Imports neither torch nor Hydra."""
