"""Whether each class of label maps is there to learn and to test on, at the size trained at."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from robustseg import IGNORED
from robustseg.data.checking.foreground import KEPT, NEEDED, WORDS, Foreground, measured
from robustseg.data.imageset import ImageSet
from robustseg.data.sources.label_rule import LEFT_OUT, as_override
from robustseg.data.sources.source import Source
from robustseg.errors import DataError

_LISTED = 3  # names of films that a message lists
_MANY = 32  # values: more of them are grey levels, not classes


def class_shares(mask: np.ndarray, classes: int) -> list[float]:
    """The share of a label map's pixels that each foreground class has."""
    counts = np.bincount(mask.ravel(), minlength=IGNORED + 1)
    return [float(counts[value]) / mask.size for value in range(1, classes)]


def classes_of(images: ImageSet, names: Sequence[str]) -> dict[str, list[Foreground]]:
    """Each foreground class in each split that has images.

    Args:
        images: with label maps.
        names: of the classes, the background first.
    """
    now = np.array([class_shares(mask, len(names)) for mask in images.masks])
    return measured_classes(images.splits, now, images.own_classes, names)


def measured_classes(
    splits: np.ndarray, now: np.ndarray, own: np.ndarray | None, names: Sequence[str]
) -> dict[str, list[Foreground]]:
    """The same of shares (N, K − 1) at the size trained at, and at the images' own size."""
    return {
        name: [
            measured(split, now[inside, at], None if own is None else own[inside, at])
            for split in WORDS
            if (inside := splits == split).any()
        ]
        for at, name in enumerate(names[1:])
    }


def class_troubles(
    found: Mapping[str, Sequence[Foreground]], image_size: int | None
) -> tuple[list[str], list[str]]:
    """What a run refuses, and what a person should know, of each class."""
    errors: list[str] = []
    warnings: list[str] = []
    for name, of_split in found.items():
        images, before = sum(s.images for s in of_split), sum(s.before for s in of_split)
        if not before:
            errors.append(
                f"none of the {images} label maps has the class {name!r}. Correct "
                "dataset.source.values or dataset.source.class_masks, or leave the class out of "
                "dataset.classes"
            )
        elif not any(one.positive for one in of_split):
            errors.append(
                f"none of the {images} label maps has the class {name!r} left at "
                f"dataset.image_size={image_size}; {before} had it at their own size. Set a larger "
                "dataset.image_size, or crop the images"
            )
        else:
            warnings += [text for one in of_split for text in _warnings(name, one, image_size)]
    return errors, warnings


def _warnings(name: str, one: Foreground, image_size: int | None) -> list[str]:
    word = WORDS[one.split]
    if not one.positive and one.split in NEEDED:
        why = "a network cannot learn it" if one.split == "train" else "it is not tested"
        return [f"none of the {one.images} {word} label maps has the class {name!r}: {why}"]
    if one.vanished or one.shrunk:
        return [
            f"{one.vanished} of the {one.images} {word} label maps lose the class {name!r} and "
            f"{one.shrunk} more than {KEPT:.0%} of it at dataset.image_size={image_size}. Set a "
            "larger one, or crop the images"
        ]
    return []


def check_classes(images: ImageSet, source: Source) -> list[str]:
    """Refuses label maps without one of their classes; returns the warnings.

    Raises:
        DataError: no label map has one of the classes.
    """
    names = getattr(source, "classes", None)
    if names is None or len(names) <= 2:  # those of a binary mask
        return []
    errors, warnings = class_troubles(classes_of(images, names), images.masks.shape[1])
    if errors:
        raise DataError("; ".join(errors))
    if getattr(source, "sides", False):
        films = zip(images.ids, images.masks, strict=True)
        warnings += undecided_text(name for name, mask in films if (mask == IGNORED).any())
    return warnings


def undecided_text(films: Iterable[str]) -> list[str]:
    """A warning of films whose lungs could not be separated."""
    names = list(films)
    if not names:
        return []
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return [
        f"in {len(names)} films ({listed}) a lung is on both sides of the image's midline, or both "
        "are on one: their pixels are ignored (dataset.source.sides=true)"
    ]


def proposal(shares: Mapping[str, float], colours: bool) -> list[str]:
    """The overrides that read masks of several values as label maps; none if they seem grey levels.

    Args:
        shares: of each value of the set, the commonest first.
        colours: whether the values are colours.
    """
    if not (2 if colours else 3) <= len(shares) <= _MANY:
        return []
    order = list(shares) if colours else sorted(shares, key=int)
    zero = "0/0/0" if colours else "0"
    background = zero if zero in shares else order[0]
    ignored = {"255"} - {background} if not colours and _few(order) else set()
    named = [value for value in order if value != background and value not in ignored]
    names = [f"class {at}" for at in range(1, len(named) + 1)]
    values: dict[int | str, str] = {background: "background"}
    values.update(zip(named, names, strict=True))
    values.update((value, LEFT_OUT) for value in ignored)
    classes = ",".join(["background", *names])
    return [
        shlex.quote(f"dataset.classes=[{classes}]"),
        shlex.quote(f"dataset.source.values={as_override(values)}"),
    ]


def _few(order: Sequence[str]) -> bool:
    """Whether numbers are those of classes with 255 apart, as many label maps have it."""
    numbers = [int(value) for value in order]
    return numbers[-1] == IGNORED and numbers[-2] < len(numbers) + 10
