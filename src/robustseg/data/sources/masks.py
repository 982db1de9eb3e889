"""What the values of a mask file mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustseg import IGNORED
from robustseg.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class MaskRule:
    """How the values of a mask file become 0 background, 1 foreground and 255 ignored.

    Without options a mask must hold 0 and at most one other value: more of them may be classes,
    or the traces of a lossy format, and only the user knows which.

    Args:
        threshold: values above it are foreground.
        positive_values: these values are foreground, others background.
        ignore_values: these values count neither as foreground nor as background.

    Raises:
        DataError: both a threshold and values are given, or a value is in both lists.
    """

    threshold: float | None = None
    positive_values: Sequence[float] | None = None
    ignore_values: Sequence[float] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and self.positive_values is not None:
            raise OptionError(
                "set either dataset.source.mask_threshold or dataset.source.positive_values, "
                "not both"
            )
        if self.threshold is not None and not _is_number(self.threshold):
            raise OptionError(
                f"dataset.source.mask_threshold must be a number, got {self.threshold!r}"
            )
        for name in ("positive_values", "ignore_values"):
            values = getattr(self, name)
            if values is None:
                continue
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise OptionError(
                    f"dataset.source.{name} must be a list of numbers such as [1], got {values!r}"
                )
            wrong = [value for value in values if not _is_number(value)]
            if wrong:
                raise OptionError(
                    f"dataset.source.{name} must be numbers, got {wrong[0]!r}: write "
                    f"dataset.source.{name}={_unquoted(values)}, without quotes"
                )
        if self.positive_values is not None and len(self.positive_values) == 0:
            raise OptionError(
                "dataset.source.positive_values is empty: name the mask values of the foreground"
            )
        both = set(self.positive_values or ()) & set(self.ignore_values)
        if both:
            raise OptionError(f"mask values {sorted(both)} are both positive and ignored")

    @property
    def asks_for_255(self) -> bool:
        """Whether 255 is foreground, and 1 is background."""
        if self.positive_values is not None:
            return 255 in self.positive_values and 1 not in self.positive_values
        return self.threshold is not None and 1 <= self.threshold < 255

    def as_dict(self) -> dict[str, object]:
        """The options as plain values, for a hash: 127 and 127.0 are one."""
        values, threshold = self.positive_values, self.threshold
        return {
            "threshold": None if threshold is None else _whole(threshold),
            "positive_values": None if values is None else sorted(map(_whole, values)),
            "ignore_values": sorted(map(_whole, self.ignore_values)),
        }

    def __str__(self) -> str:
        """What is foreground, with the settings that say so."""
        if self.positive_values is not None:
            values = [*self.positive_values]
            return f"dataset.source.positive_values={values}: these values are foreground"
        if self.threshold is not None:
            return (
                f"dataset.source.mask_threshold={self.threshold:g}: values above it are foreground"
            )
        return "the default: every value but 0 is foreground"

    def apply(self, raw: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """The mask (H, W) uint8 of raw values (H, W) of any number type.

        Args:
            raw: the values that say what is foreground.
            labels: the values that say what is ignored; None: the same.

        Raises:
            DataError: the values do not say what is foreground.
        """
        import numpy as np

        labels = raw if labels is None else labels
        ignored = np.isin(labels, list(self.ignore_values)) if len(self.ignore_values) else None
        if self.positive_values is not None:
            foreground = np.isin(raw, list(self.positive_values))
        elif self.threshold is not None:
            foreground = raw > self.threshold
        else:
            foreground = self._two_valued(raw, ignored)
        mask = foreground.astype(np.uint8)
        if ignored is not None:
            mask[ignored] = IGNORED
        return mask

    def _two_valued(self, raw: np.ndarray, ignored: np.ndarray | None) -> np.ndarray:
        """Where a mask that holds 0 and one other value is not 0."""
        found = levels(raw if ignored is None else raw[~ignored])
        plain = len(found) <= 2 and found[:1] == [0]
        full = found in ([1], [255], [65535])  # foreground everywhere
        if found and not plain and not full:
            raise DataError(not_binary(found))
        return raw != 0


def not_binary(found: Sequence[float]) -> str:
    """What is wrong with masks that hold more values than two, and the settings that help."""
    listed = ", ".join(f"{value:g}" for value in found[:8])
    more = ", …" if len(found) > 8 else ""
    return (
        f"the mask is not binary, it holds {len(found)} values ({listed}{more}). "
        f"If they are grey levels, set dataset.source.mask_threshold={_middle(found[-1])}; "
        "if classes, name those of the foreground with dataset.source.positive_values "
        "(dataset=folder, histopathology)"
    )


def _unquoted(values: Iterable[object]) -> str:
    """A list of the numbers that the values spell; of others an example."""
    texts = [str(value) for value in values]
    return f"[{','.join(texts)}]" if all(map(_NUMBER.fullmatch, texts)) else "[1]"


def _whole(value: float) -> float:
    """A whole number without its point."""
    return int(value) if float(value).is_integer() else value


def _is_number(value: object) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value)  # type: ignore[arg-type]


def _middle(largest: float) -> str:
    """A threshold in the middle of values from 0 to `largest`."""
    return "0.5" if largest <= 1 else str(int(largest / 2))


def levels(raw: np.ndarray) -> list[float]:
    """The different values of an array, in order."""
    import numpy as np

    if raw.dtype == np.uint8:
        return [float(value) for value in np.flatnonzero(np.bincount(raw.ravel()))]
    return [float(value) for value in np.unique(raw)]
