"""The two parts of the T-Loss by area, taken apart by correct masks, which only an experiment has.

The area of a given mask is that of the correct one times the change. Does `loss=tloss_area` gain
since its weight follows the first, so that small objects are not preferred, or the second, so that
masks that are too small have little weight? Binary masks and flips only.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robustseg.finished.load import load_run
from robustseg.finished.training_data import training_data
from robustseg.losses import AreaTLoss
from robustseg.losses.tloss import squared_residuals, student_t

Part = Literal["correct", "change"]
LARGEST = 2**40  # of a random number; sums over 4096 pixels remain exact in float64


class TrueAreaTLoss(AreaTLoss):
    """`AreaTLoss` whose D_i does not come from the given mask alone.

    Args:
        run: folder of a finished run that was trained on the same masks, relative to the working
            folder; its data must be where it was.
        part: "correct": D_i is the area of the correct mask, within the bounds of `AreaTLoss`.
            "change": D_i is all pixels times the given mask's area over that of the correct one.
        **options: of `AreaTLoss`.
    """

    def __init__(self, run: str, part: Part = "correct", **options: float) -> None:
        super().__init__(**options)
        self.part = part
        finished = load_run(Path(run), device="cpu")
        data = training_data(finished, Path(finished.settings.paths.cache))
        masks = torch.from_numpy(data.noisy == 1)[:, None]
        if not masks.flatten(1).any(1).all():
            raise ValueError(f"{run} has empty masks, which have no area to replace")
        height, width = masks.shape[-2:]
        numbers = np.random.default_rng(0).integers(LARGEST // 4, size=(height, width))
        flipped = numbers + numbers[::-1] + numbers[:, ::-1] + numbers[::-1, ::-1]
        self.register_buffer("numbers", torch.from_numpy(flipped).double(), persistent=False)
        # Masks that are the same have the mean area of their correct ones.
        keys, which = torch.unique(self._keys(masks), return_inverse=True)
        areas = torch.tensor([row["area_clean"] for row in data.manifest], dtype=torch.float64)
        sums = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, which, areas)
        self.register_buffer("keys", keys, persistent=False)
        self.register_buffer("areas", sums / which.bincount(), persistent=False)

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        squares = squared_residuals(logits, target, ignore)
        counts = self.dimensions(logits, target, ignore)
        values = student_t(squares, counts, log_nu=self.log_nu, log_precision=self.log_precision)
        return values.mean().to(logits.dtype)

    def dimensions(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return D_i of each image, (B,)."""
        keys = self._keys(target)
        at = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        if not torch.equal(self.keys[at], keys):
            raise ValueError("a mask is none of the run's: it needs the same noise, and flips only")
        areas, pixels = self.areas[at], target[0].numel()
        if self.part == "change":
            return pixels * target.sum(dim=(1, 2, 3)).double() / areas
        return torch.minimum(areas, (pixels - areas) / self.floor).clamp(min=self.floor * pixels)

    def _keys(self, masks: Tensor) -> Tensor:
        """A number of each mask (B, 1, H, W) that its flips share, (B,)."""
        return (masks[:, 0].double() * self.numbers).sum(dim=(1, 2))
