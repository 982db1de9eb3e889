"""What a noise model is: the interface every file beside this one implements.

A new model is one file with a class that has `corrupt`, and one YAML in `conf/noise` that names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from robustseg import IGNORED

Parameters = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Corruption:
    """What a model made of one mask.

    Attributes:
        mask: uint8 (H, W), 0 background and 1 foreground.
        type: What was done, in a word ("dilate", "swap", …); "clean" where nothing could be done.
        parameters: What was drawn or found, enough to say again what was done.
        note: Empty, or what the reader of the manifest should know.
    """

    mask: np.ndarray
    type: str
    parameters: Parameters = field(default_factory=dict)
    note: str = ""


UNREACHED = "beta not reached: "  # how the note begins where the model missed β
TOLERANCE = 0.05  # how far a mask may be off β before it is noted
EMPTY = "empty mask left as it is"


def note_if_off(clean: np.ndarray, noisy: np.ndarray, beta: float) -> str:
    """A note where |noisy △ clean| / |clean| is off β by more than `TOLERANCE`, else nothing.

    Args:
        clean: uint8 (H, W), 0 and 1, with some foreground.
        noisy: The same after the corruption.
        beta: The error asked for.
    """
    error = np.count_nonzero(noisy != clean) / np.count_nonzero(clean)
    return UNREACHED + f"off by more than {TOLERANCE}" if abs(error - beta) > TOLERANCE else ""


def unchanged(mask: np.ndarray, note: str) -> Corruption:
    """A mask that the model leaves as it is, and why."""
    return Corruption(mask.copy(), "clean", {}, note)


@dataclass(frozen=True)
class Donors:
    """The clean masks of the other images of the set, in the order of their ids.

    Attributes:
        ids: All ids of the set, sorted.
        masks: All masks, uint8 (N, H, W) with 0, 1 and 255 = ignored.
        rows: Where in `masks` the mask of each of `ids` lies.
        own: The position in `ids` of the mask being corrupted, which is not a donor.
        value: Of the foreground in `masks`; another than 1 for a class of label maps.
    """

    ids: Sequence[str]
    masks: np.ndarray
    rows: Sequence[int]
    own: int
    value: int = 1

    def __len__(self) -> int:
        return len(self.ids) - 1

    def __getitem__(self, index: int) -> tuple[str, np.ndarray]:
        """Id and foreground (uint8 (H, W), ignored pixels 0) of a donor, index in [0, N − 1)."""
        name, found = self._donor(index)
        return name, (found == self.value).astype(np.uint8)

    def _donor(self, index: int) -> tuple[str, np.ndarray]:
        at = index + (index >= self.own)
        return self.ids[at], self.masks[self.rows[at]]


class LabelDonors(Donors):
    """The clean label maps of the other images, in `masks`: uint8 (N, H, W), 255 ignored."""

    def __getitem__(self, index: int) -> tuple[str, np.ndarray]:
        """Id and label map (uint8 (H, W), ignored pixels 0) of a donor, index in [0, N − 1)."""
        name, found = self._donor(index)
        return name, np.where(found == IGNORED, 0, found).astype(np.uint8)

    def of(self, value: int) -> Donors:
        """The masks of one class."""
        return Donors(self.ids, self.masks, self.rows, self.own, value)


class NoiseModel(Protocol):
    """Makes a wrong mask of a right one."""

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """Corrupts one mask.

        Args:
            mask: uint8 (H, W), 0 background and 1 foreground; not to be written to.
            beta: The error asked for, |noisy △ clean| / |clean|, in (0, ∞).
            rng: The only source of chance; it belongs to this mask.
            donors: The clean masks of the other images.
        """
        ...


@runtime_checkable
class LabelMapModel(Protocol):
    """A model that corrupts a whole label map, since its error is one between classes."""

    def corrupt_labels(
        self,
        labels: np.ndarray,
        classes: int,
        beta: float,
        rng: np.random.Generator,
        donors: LabelDonors,
    ) -> tuple[np.ndarray, Mapping[int, Corruption]]:
        """Corrupts one label map.

        Args:
            labels: uint8 (H, W), 0 background, 1 to K − 1 foreground; not to be written to.
            classes: K, the background included.
            beta: The error asked for of each class, |noisy △ clean| / |clean|, in (0, ∞).
            rng: The only source of chance; it belongs to this map.
            donors: The clean maps of the other images.

        Returns:
            The label map, and what was done to each foreground class.
        """
        ...


@runtime_checkable
class OrderedModel(Protocol):
    """A model that chooses the noisy images itself and draws for all of them from one stream."""

    def streams(self, ids: Sequence[str], alpha: float, seed: int) -> dict[str, Any]:
        """What to hand to `corrupt` as `rng`, for each noisy id; masks are corrupted in this order.

        Args:
            ids: All ids, sorted.
            alpha: Share of noisy images in [0, 1].
            seed: The seed of the noise.
        """
        ...
