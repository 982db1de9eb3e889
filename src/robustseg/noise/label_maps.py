"""Corrupts a share of a set of label maps, class by class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from robustseg import IGNORED
from robustseg.noise.injection import check_drawn, check_set, noisy_ids, note_of, stream
from robustseg.noise.manifest import Row, row
from robustseg.noise.mixture import Mixture
from robustseg.noise.model import (
    TOLERANCE,
    UNREACHED,
    Corruption,
    LabelDonors,
    LabelMapModel,
    NoiseModel,
    OrderedModel,
)


def inject_labels(
    labels: np.ndarray,
    ids: Sequence[str],
    model: NoiseModel | LabelMapModel,
    *,
    classes: Sequence[str],
    alpha: float,
    beta: float,
    seed: int,
) -> tuple[np.ndarray, list[Row]]:
    """Corrupts the label maps of the first int(N·α) ids in an order given by the seed.

    Each foreground class of a noisy map is corrupted by its own draw (seed, id, class), and drawn
    back over the clean background in the order of `classes`, a later class over an earlier one;
    pixels that a class gave up become background. With a single foreground class this is `inject`.
    β is reached for each class before they are laid over one another; the manifest says what is
    reached afterwards.

    Args:
        labels: uint8 (N, H, W), 0 background, k the k-th of `classes`, 255 ignored; not written to.
        ids: The N ids of the maps, all different.
        model: What is done to a class, or to a map.
        classes: Names of the classes, the background first.
        alpha: Share of noisy maps in [0, 1].
        beta: Error of each class of a noisy map, in (0, ∞).
        seed: Seed of the choice of the maps and of what is done to them.

    Returns:
        The label maps (a new array) and the manifest, a row per map and foreground class (columns:
        `manifest.COLUMNS` and ``class``).

    Raises:
        ValueError: An argument is out of its range, the model is one of binary masks only, or it
            draws other values than those of the classes.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Missed, inject_labels
        >>> labels = np.zeros((1, 64, 64), np.uint8)
        >>> labels[:, 20:40, 10:30], labels[:, 20:40, 35:55] = 1, 2
        >>> noisy, manifest = inject_labels(
        ...     labels, ["a"], Missed(), classes=["background", "left", "right"],
        ...     alpha=1.0, beta=0.25, seed=0,
        ... )
        >>> [(row["class"], row["type"], row["reached"]) for row in manifest]
        [('left', 'missed', 0.25), ('right', 'missed', 0.25)]
    """
    if trouble := unfit(model, len(classes)):
        raise ValueError(trouble)
    check_set(labels, ids, alpha, beta, len(classes))
    rows = sorted(range(len(ids)), key=lambda i: ids[i])
    names = [ids[i] for i in rows]
    positions = {name: at for at, name in enumerate(names)}
    noisy = np.array(labels, order="C")
    done: dict[str, Mapping[int, Corruption]] = {}
    for name in noisy_ids(names, alpha, seed):
        at = positions[name]
        clean = labels[rows[at]]
        seen = np.where(clean == IGNORED, 0, clean).astype(np.uint8)
        donors = LabelDonors(names, labels, rows, at)
        if isinstance(model, LabelMapModel):
            rng = stream(seed, name)
            drawn, said = model.corrupt_labels(seen, len(classes), beta, rng, donors)
            check_drawn(drawn, clean.shape, model, name, len(classes))
        else:
            drawn, said = _by_class(seen, model, classes, beta, seed, donors)
        noisy[rows[at]] = np.where(clean == IGNORED, clean, drawn)
        done[name] = said
    manifest: list[Row] = []
    for name, before, after in zip(ids, labels, noisy, strict=True):
        manifest += _rows(name, before, after, classes, beta, done.get(name))
    return noisy, manifest


def unfit(model: NoiseModel | LabelMapModel, classes: int | None) -> str:
    """Say why a model cannot corrupt such masks; "" if it can.

    Args:
        model: what is done to a mask, or to a label map.
        classes: of label maps, the background included; None: masks are binary.

    Examples:
        >>> from robustseg.noise import Confuse, Missed, unfit
        >>> unfit(Missed(), None), unfit(Confuse(), 4)
        ('', '')
        >>> unfit(Confuse(), None)
        'noise=confuse is for label maps: set dataset.classes'

    A mixture draws for each class separately, so models of whole label maps are unfit for it.
    """
    name = type(model).__name__.lower()
    if isinstance(model, Mixture):
        drawn = zip(model.names, model.models, model.shares, strict=True)
        for part, inner, share in drawn:
            if share and not hasattr(inner, "corrupt"):
                return (
                    f"noise={name}: {part} corrupts whole label maps and cannot be in a mixture. "
                    f"Leave it out: noise.model.weights.{part}=0"
                )
            if share and (trouble := unfit(inner, classes)):
                return trouble
    if classes is None:
        binary = hasattr(model, "corrupt")
        return "" if binary else f"noise={name} is for label maps: set dataset.classes"
    if isinstance(model, OrderedModel):
        return f"noise={name} is for binary masks only: take noise=morphological"
    if classes < 3 and not hasattr(model, "corrupt"):
        return f"noise={name} needs two or more foreground classes in dataset.classes"
    return ""


def _by_class(
    seen: np.ndarray,
    model: NoiseModel,
    classes: Sequence[str],
    beta: float,
    seed: int,
    donors: LabelDonors,
) -> tuple[np.ndarray, dict[int, Corruption]]:
    """A map whose classes are corrupted one after the other."""
    own = donors.ids[donors.own]
    drawn, said = np.zeros_like(seen), {}
    for value in range(1, len(classes)):
        rng = stream(seed, own, classes[value] if len(classes) > 2 else "")
        said[value] = model.corrupt((seen == value).astype(np.uint8), beta, rng, donors.of(value))
        check_drawn(said[value].mask, seen.shape, model, own)
        drawn[said[value].mask == 1] = value
    return drawn, said


def _rows(
    name: str,
    clean: np.ndarray,
    noisy: np.ndarray,
    classes: Sequence[str],
    beta: float,
    done: Mapping[int, Corruption] | None,
) -> list[Row]:
    """The manifest's rows of a map, one per class."""
    rows = []
    for value in range(1, len(classes)):
        before, after = (_one_class(labels, value) for labels in (clean, noisy))
        said = Corruption(after, "clean") if done is None else done[value]
        if done is not None and not said.note:
            note = note_of(before, after, said.mask, beta)
            said = replace(said, note=note or _covered(before, after, said.mask, beta))
        rows.append(
            {
                **row(name, before, after, 0.0 if done is None else beta, said),
                "class": classes[value],
            }
        )
    return rows


def _covered(clean: np.ndarray, noisy: np.ndarray, drawn: np.ndarray, beta: float) -> str:
    """A note where a class reached β, and no longer does with other classes drawn over it."""
    area, seen = np.count_nonzero(clean == 1), clean != IGNORED
    if not area:
        return ""
    alone, there = (np.count_nonzero(seen & (mask != clean)) / area for mask in (drawn, noisy))
    if abs(alone - beta) <= TOLERANCE < abs(there - beta):
        return UNREACHED + "another class lies over it"
    return ""


def _one_class(labels: np.ndarray, value: int) -> np.ndarray:
    """The mask of a class: 0, 1 and 255."""
    mask = (labels == value).astype(np.uint8)
    mask[labels == IGNORED] = IGNORED
    return mask
