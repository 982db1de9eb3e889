"""Objects with the label of another class."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from robustseg.noise.model import EMPTY, TOLERANCE, UNREACHED, Corruption, LabelDonors


class Confuse:
    """Gives whole objects of a class the label of another foreground class.

    Objects are 8-connected. Of each class they are taken in random order as long as that brings the
    area given up nearer to the share β of the class; each gets a label drawn from the other
    foreground classes, of which there must be one. A class of a single object stays as it is for
    β < ½; the manifest notes it. What it says is reached counts the objects that a class gains too.

    The error of an annotator who finds an object and takes it for another: the class-conditional
    noise of classification (Patrini et al., Making deep neural networks robust to label noise,
    CVPR 2017), an object at a time.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Confuse, inject_labels
        >>> labels = np.zeros((1, 64, 64), np.uint8)
        >>> labels[:, 5:15, 5:15], labels[:, 5:15, 30:40], labels[:, 40:50, 5:15] = 1, 1, 2
        >>> noisy, manifest = inject_labels(
        ...     labels, ["a"], Confuse(), classes=["background", "nucleus", "gland"],
        ...     alpha=1.0, beta=0.5, seed=0,
        ... )
        >>> [int((noisy == value).sum()) for value in (1, 2)]
        [100, 200]
    """

    def corrupt_labels(
        self,
        labels: np.ndarray,
        classes: int,
        beta: float,
        rng: np.random.Generator,
        donors: LabelDonors,
    ) -> tuple[np.ndarray, Mapping[int, Corruption]]:
        """See `robustseg.noise.model.LabelMapModel`."""
        if classes < 3:
            raise ValueError("noise=confuse needs two or more foreground classes")
        noisy = labels.copy()
        moved = {
            value: _move(labels, noisy, value, classes, beta, rng) for value in range(1, classes)
        }
        return noisy, {
            value: _said(labels == value, noisy == value, *said) for value, said in moved.items()
        }


def _said(
    before: np.ndarray, after: np.ndarray, parameters: dict[str, int], note: str
) -> Corruption:
    """What was done to a class, which may also gain objects of others."""
    changed = bool((before != after).any())
    if changed and note == EMPTY:
        note = UNREACHED + "the class was empty and gains objects"
    return Corruption(after.astype(np.uint8), "confuse" if changed else "clean", parameters, note)


def _move(
    labels: np.ndarray,
    noisy: np.ndarray,
    value: int,
    classes: int,
    beta: float,
    rng: np.random.Generator,
) -> tuple[dict[str, int], str]:
    """Relabel objects of a class in `noisy`; returns parameters and note."""
    objects, count = ndimage.label(labels == value, structure=np.ones((3, 3)))
    if count == 0:
        return {}, EMPTY
    sizes = np.bincount(objects.ravel())[1:]
    area = int(sizes.sum())
    others = [other for other in range(1, classes) if other != value]
    given, taken = 0, 0
    for name in rng.permutation(count):
        if abs(given + sizes[name] - beta * area) < abs(given - beta * area):
            noisy[objects == name + 1] = others[int(rng.integers(len(others)))]
            given, taken = given + int(sizes[name]), taken + 1
    off = abs(given / area - beta) > TOLERANCE
    note = UNREACHED + f"off by more than {TOLERANCE}" if off else ""
    return {"objects": count, "moved": taken}, note
