"""Figures of finished runs, drawn without a display. Imports neither torch nor Hydra."""
