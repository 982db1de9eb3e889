"""The order of training images, a pure function of (seed, position)."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

_ORDER = 0x0DE5  # separates this stream of random numbers from augmentation's


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (pass, index): which image, and the pass number.

    The images form one endless sequence of permutations, pass after pass. An epoch is one pass,
    or, with `steps`, a fixed number of batches of that sequence, whatever the batch size: then
    batches cross from one pass into the next and are all full. The epoch is set by the trainer
    (`set_epoch`), so the order after a resume is the order without one.

    Args:
        size: number of training images, ≥ 1.
        batch_size: images per batch, ≥ 1.
        seed: of the run.
        steps: batches per epoch; None for one pass (the last batch may be smaller; a single image
            that is left over joins the batch before it, since batch norm needs more than one).
    """

    def __init__(self, size: int, batch_size: int, seed: int, steps: int | None = None) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.steps = steps
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields."""
        self.epoch = epoch

    def __len__(self) -> int:
        if self.steps is not None:
            return self.steps
        whole, rest = divmod(self.size, self.batch_size)
        return max(1, whole + (rest > 1))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self.steps is None:
            start, stop = self.epoch * self.size, (self.epoch + 1) * self.size
        else:
            length = self.steps * self.batch_size
            start, stop = self.epoch * length, (self.epoch + 1) * length
        first, last = start // self.size, (stop - 1) // self.size
        items = [
            (number, int(index))
            for number in range(first, last + 1)
            for index in self._permutation(number)
        ]
        items = items[start - first * self.size : stop - first * self.size]
        for number in range(len(self)):
            at = number * self.batch_size
            last = self.steps is None and number == len(self) - 1
            yield items[at:] if last else items[at : at + self.batch_size]

    def _permutation(self, number: int) -> np.ndarray:
        seed = np.random.SeedSequence([self.seed, _ORDER, number])
        return np.random.Generator(np.random.PCG64(seed)).permutation(self.size)
