"""Checkpoints written where they are to be."""

from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from robustseg.sweeps import interrupts


class DirectCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to its place: Lightning's own goes through the temporary folder.

    The bytes are the same. That a file is whole or not there at all is the recorder's part.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write it."""
        with open(path, "wb") as file:  # of a path, the archive would hold the name
            torch.save(checkpoint, file)

    def load_checkpoint(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Read it; interrupted, PyTorch would report a damaged file."""
        with interrupts.later():
            return super().load_checkpoint(*arguments, **named)
