"""One page that holds an experiment's results. Imports neither torch nor Hydra."""
