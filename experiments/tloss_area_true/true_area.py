"""The T-Loss by area with the area of the correct mask, which only an experiment can know.

Does `loss=tloss_area` gain because its weight does not prefer small objects, or because a mask that
is too small has a small area and so little weight? With the correct mask's area it still does not
prefer small objects, but no longer discounts masks that are too small. Binary masks and flips only.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robustseg.finished.load import load_run
from robustseg.finished.suspects import training_data
from robustseg.losses import AreaTLoss
from robustseg.losses.tloss import squared_residuals, student_t

LARGEST = 2**40  # of a random number; sums over 4096 pixels remain exact in float64


class TrueAreaTLoss(AreaTLoss):
    """`AreaTLoss` whose D_i is the area of the correct mask, within the same bounds.

    Args:
        run: folder of a finished run that was trained on the same masks, relative to the working
            folder; its data must be where it was.
        **options: of `AreaTLoss`.
    """

    def __init__(self, run: str, **options: float) -> None:
        super().__init__(**options)
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
        return torch.minimum(areas, (pixels - areas) / self.floor).clamp(min=self.floor * pixels)

    def _keys(self, masks: Tensor) -> Tensor:
        """A number of each mask (B, 1, H, W) that its flips share, (B,)."""
        return (masks[:, 0].double() * self.numbers).sum(dim=(1, 2))
