"""Loggers in addition to the run folder: wandb and TensorBoard."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "wandb_logger": ["make_wandb_logger"],
        "tensorboard_run": ["make_tensorboard_logger"],
    },
)
