"""Checkpoints that a run resumes from, and those that cannot be used."""

import traceback
from pathlib import Path

import torch
from pytorch_lightning.trainer.connectors import checkpoint_connector

from robustseg.errors import DamagedRun

# What of Lightning's connector restores; it saves checkpoints, too.
_OF_THE_SYSTEM = ("unable to mmap", "unable to open file", "allocate memory")
_RESTORING = ("_restore_modules_and_callbacks", "restore_training_state")


def epochs_saved(checkpoint: Path) -> int:
    """How many epochs the network of a checkpoint was trained; 0 if there is none yet."""
    if not checkpoint.exists():
        return 0
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return int(state["epoch"]) + 1
    except Exception as error:
        if _is_of_the_system(error):
            raise
        raise unusable(checkpoint, error) from error


def _is_of_the_system(error: Exception) -> bool:
    """Whether the system failed, which may pass, and not the checkpoint; torch has one error."""
    if isinstance(error, RuntimeError):
        return any(words in str(error).lower() for words in _OF_THE_SYSTEM)
    return isinstance(error, OSError | MemoryError)


def is_of_restoring(error: Exception) -> bool:
    """Whether an error was raised where Lightning restores a checkpoint.

    Between that and the first batch a device may fail to start, or a logger to reach its server: no
    reason to give a checkpoint up.
    """
    return not _is_of_the_system(error) and any(
        frame.f_globals.get("__name__") == checkpoint_connector.__name__
        and frame.f_code.co_name in _RESTORING
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def unusable(checkpoint: Path, error: Exception) -> DamagedRun:
    """The error of a checkpoint that cannot be used."""
    return DamagedRun(f"the checkpoint {checkpoint.name} cannot be used: {error!r:.200}")
