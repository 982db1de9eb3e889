"""Corrupts a share of a set of masks, each in a way that depends on nothing but itself."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robustseg import IGNORED
from robustseg.noise.manifest import Row, row
from robustseg.noise.model import (
    TOLERANCE,
    UNREACHED,
    Corruption,
    Donors,
    NoiseModel,
    OrderedModel,
)


def inject(
    masks: np.ndarray,
    ids: Sequence[str],
    model: NoiseModel,
    *,
    alpha: float,
    beta: float,
    seed: int,
) -> tuple[np.ndarray, list[Row]]:
    """Corrupts the masks of the first int(N·α) ids in an order given by the seed.

    The noisy sets of one seed are nested across α. What happens to a mask depends on (seed, id, β)
    only: not on the order of the masks, nor on the other images (a swapped mask depends on its
    donor as well; `legacy` follows the order of the public code).

    Args:
        masks: uint8 (N, H, W), 0 background, 1 foreground, 255 ignored; never written to. Models
            see ignored pixels as background; afterwards they are 255 again, and the error is noted
            if what they take of it makes it fall short of β.
        ids: The N ids of the masks, all different.
        model: What is done to a mask.
        alpha: Share of noisy masks in [0, 1].
        beta: Error of a noisy mask, |noisy △ clean| / |clean|, in (0, ∞).
        seed: Seed of the choice of the masks and of what is done to them.

    Returns:
        The masks (a new array, same shape and dtype) and the manifest, one row per mask in the
        order given (columns: `manifest.COLUMNS`).

    Raises:
        ValueError: An argument is out of its range, or the model draws other values than 0 and 1.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Missed, inject
        >>> masks = np.zeros((4, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> ids = ["a", "b", "c", "d"]
        >>> noisy, manifest = inject(masks, ids, Missed(), alpha=0.5, beta=0.25, seed=0)
        >>> [row["type"] for row in manifest]
        ['clean', 'clean', 'missed', 'missed']
        >>> noisy.sum(axis=(1, 2)).tolist()
        [400, 400, 300, 300]
    """
    check_set(masks, ids, alpha, beta)
    rows = sorted(range(len(ids)), key=lambda i: ids[i])
    names = [ids[i] for i in rows]
    positions = {name: at for at, name in enumerate(names)}
    choose = model.streams if isinstance(model, OrderedModel) else streams
    noisy = np.array(masks, order="C")
    done = {name: (0.0, Corruption(masks[i], "clean")) for name, i in zip(names, rows, strict=True)}
    for name, rng in choose(names, alpha, seed).items():
        at = positions[name]
        clean = masks[rows[at]]
        donors = Donors(names, masks, rows, at)
        result = model.corrupt((clean == 1).astype(np.uint8), beta, rng, donors)
        check_drawn(result.mask, clean.shape, model, name)
        noisy[rows[at]] = np.where(clean == IGNORED, clean, result.mask)
        if not result.note:
            result = replace(result, note=note_of(clean, noisy[rows[at]], result.mask, beta))
        done[name] = (beta, result)
    manifest = [row(name, masks[i], noisy[i], *done[name]) for i, name in enumerate(ids)]
    return noisy, manifest


def streams(ids: Sequence[str], alpha: float, seed: int) -> dict[str, np.random.Generator]:
    """The noisy ids and a random stream for each."""
    return {name: stream(seed, name) for name in noisy_ids(ids, alpha, seed)}


def noisy_ids(ids: Sequence[str], alpha: float, seed: int) -> list[str]:
    """The noisy ids, sorted.

    The order in which they are chosen is that of a hash of (seed, id), so that it depends neither
    on the order of `ids` nor on Python's own hash.
    """
    ranked = sorted(ids, key=lambda name: _digest("order", seed, name))
    return sorted(ranked[: int(len(ids) * alpha)])


def stream(seed: int, name: str, label: str = "") -> np.random.Generator:
    """The random stream of an id, or of one of its classes, whatever the rest of the set."""
    return np.random.default_rng(_digest(f"draws of {label}" if label else "draws", seed, name))


def _digest(purpose: str, seed: int, name: str) -> int:
    """A stable 256-bit number for a purpose, a seed and an id."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{seed}/{name}".encode()).digest())


def note_of(clean: np.ndarray, noisy: np.ndarray, drawn: np.ndarray, beta: float) -> str:
    """What a model cannot know: nothing changed, or too much of the change is on ignored pixels."""
    wrong = np.count_nonzero(noisy != clean)
    if wrong == 0:
        return UNREACHED + "mask is unchanged"
    short = wrong < (beta - TOLERANCE) * np.count_nonzero(clean == 1)
    # A model that missed β by itself has its own rule of what to note.
    if short and drawn[clean == IGNORED].any():
        return UNREACHED + "part of the error is on ignored pixels"
    return ""


def check_drawn(
    drawn: np.ndarray, shape: tuple[int, ...], model: object, name: str, classes: int = 2
) -> None:
    """Raise ValueError unless what a model drew for an image is a mask, with so many classes."""
    if drawn.shape == shape and np.isin(drawn, np.arange(classes)).all():
        return
    known = "0 and 1" if classes == 2 else f"0 to {classes - 1}"
    found = ", ".join(f"{value:g}" for value in np.unique(drawn)[:6].astype(float))
    raise ValueError(
        f"noise model {type(model).__name__}: the mask of {name!r} must be {shape} and hold "
        f"{known}; it is {drawn.shape} and holds {found}"
    )


def check_set(
    masks: np.ndarray, ids: Sequence[str], alpha: float, beta: float, classes: int = 2
) -> None:
    """Raise ValueError unless masks, ids, α and β are as `inject` asks, with so many classes."""
    if masks.ndim != 3 or masks.dtype != np.uint8:
        raise ValueError(f"masks must be uint8 (N, H, W), not {masks.dtype} {masks.shape}")
    if len(masks) != len(ids):
        raise ValueError(f"{len(masks)} masks but {len(ids)} ids")
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"ids must differ; {twice[0]!r} occurs more than once")
    for name, mask in zip(ids, masks, strict=True):
        if not ((mask < classes) | (mask == IGNORED)).all():
            values = [int(value) for value in np.unique(mask)]
            known = "0, 1" if classes == 2 else f"0 to {classes - 1}"
            raise ValueError(
                f"mask {name!r} must hold {known} and 255 (ignored) only, not {values}"
            )
    if not 0 <= alpha <= 1:
        raise ValueError(f"noise.alpha is a share of the images in [0, 1], not {alpha}")
    if not (math.isfinite(beta) and beta > 0):
        raise ValueError(f"noise.beta is a relative error above 0 and finite, not {beta}")
