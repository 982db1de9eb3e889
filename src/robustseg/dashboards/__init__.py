"""Loggers beside the run folder's own files: wandb and TensorBoard."""
