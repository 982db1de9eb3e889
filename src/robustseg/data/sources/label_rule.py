"""What the values of a label map mean."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robustseg import IGNORED
from robustseg.errors import DataError, OptionError
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from robustseg.data.sources.label_levels import Level

LEFT_OUT = "ignored"  # stands for no class in `values`
_SHOWN = 8  # values that a message lists


class UnnamedValues(DataError):
    """A mask holds values that belong to no class."""


@dataclass(frozen=True)
class LabelRule:
    """How the values of a mask file become 0 background, k the k-th class, and 255 ignored.

    Without `values` a mask must hold the numbers of the classes themselves, and 255 is ignored.
    A value that is not named is an error, except for 0, or black, which is background.

    Args:
        classes: names, the background first; at most 255.
        values: the class of each value: of numbers (grey levels, indices of a palette) or of
            colours, written "255/0/0" or "#ff0000"; "ignored" for values that do not count.
        ignore_values: whole numbers that do not count either.

    Raises:
        OptionError: a class is unknown, a value is neither a number nor a colour, or one to be
            ignored is no whole number.

    Examples:
        >>> rule = LabelRule(["background", "lung", "heart"], {80: "lung", 160: "heart"})
        >>> rule.table
        {80: 1, 160: 2, 0: 0}
    """

    classes: Sequence[str]
    values: Mapping[int | str, str] | None = None
    ignore_values: Sequence[float] = ()

    def __post_init__(self) -> None:
        if len(self.classes) > IGNORED:
            raise OptionError(f"dataset.classes has {len(self.classes)} names; 255 are possible")
        if LEFT_OUT in self.classes:
            raise OptionError(
                f"dataset.classes has {LEFT_OUT!r}, which in dataset.source.values stands for "
                "values that do not count. Take another name"
            )
        self.table  # noqa: B018  # raises if a value or a class is wrong

    @property
    def colours(self) -> bool:
        """Whether the values are colours."""
        return any(_number(key) is None for key in self.values or ())

    @property
    def table(self) -> dict[int, int]:
        """The label of each value, a number or a colour's code."""
        table: dict[int, int] = {}
        if self.values is None:
            table = {value: value for value in range(len(self.classes))} | {IGNORED: IGNORED}
        for key, name in (self.values or {}).items():
            if name != LEFT_OUT and name not in self.classes:
                raise OptionError(
                    f"dataset.source.values: {key} is {name!r}, which is not in dataset.classes; "
                    f"{suggestion(str(name), [*self.classes, LEFT_OUT])}"
                )
            table[self._code(key)] = IGNORED if name == LEFT_OUT else self.classes.index(name)
        for value in self.ignore_values:
            number = None if isinstance(value, str) else _number(value)
            if number is None:
                raise OptionError(
                    "the values of label maps are whole numbers: dataset.source.ignore_values has "
                    f"{value!r}. Write those that do not count, such as "
                    "dataset.source.ignore_values=[9]"
                )
            if self.values is not None and number in table:
                raise OptionError(f"the mask value {value} is both named and ignored")
            table[number] = IGNORED
        return table | {0: table.get(0, 0)}

    def _code(self, key: int | str) -> int:
        from robustseg.data.sources.label_levels import colour_of

        if not self.colours:
            number = _number(key)
            assert number is not None
            return number
        colour = colour_of(key) if isinstance(key, str) else None
        if colour is None:
            raise OptionError(
                f"dataset.source.values: {key!r} is no colour. Write numbers, or colours as "
                "red/green/blue from 0 to 255, such as 255/0/0, but not both"
            )
        if self.ignore_values:
            raise OptionError(
                "dataset.source.ignore_values is for numbers: with colours write "
                f"'dataset.source.values={{{key}: {LEFT_OUT}}}'"
            )
        return colour

    def as_dict(self) -> dict[str, object]:
        """What changes the reading, as plain values, for a hash; names do not."""
        return {
            "classes": len(self.classes),
            "colours": self.colours,
            "table": sorted(self.table.items()),
        }

    def __str__(self) -> str:
        """What is which class, with the setting that says so."""
        if self.values is None:
            named = ", ".join(f"{at} {name}" for at, name in enumerate(self.classes[:_SHOWN]))
            return f"the numbers of dataset.classes themselves: {named}"
        return f"dataset.source.values={as_override(self.values)}"

    def read(self, image: Image.Image) -> np.ndarray:
        """The label map (H, W) uint8 of a decoded file.

        Raises:
            UnnamedValues: it holds values that belong to no class.
            DataError: its pixels are no such values.
        """
        from robustseg.data.sources.label_levels import codes_of

        return self.apply(codes_of(image, self.colours))

    def apply(self, codes: np.ndarray) -> np.ndarray:
        """The label map (H, W) uint8 of numbers or colours' codes (H, W).

        Raises:
            UnnamedValues: it holds values that belong to no class.
        """
        import numpy as np

        from robustseg.data.sources.label_levels import counts_of

        found, table = list(counts_of(codes)), self.table
        lost = [value for value in found if value not in table]
        if lost:
            raise UnnamedValues(f"the mask holds values that no class has: {self._listed(lost)}")
        labels = np.array([table[value] for value in found], np.uint8)
        return labels[np.searchsorted(found, codes)]

    def unnamed(self, files: Mapping[Path, Sequence[Level]]) -> str:
        """The error of values in the files of a set that are of no class; "" if there are none."""
        from robustseg.data.sources.label_levels import level_text, shares_of

        table, colours = self.table, self.colours
        lost: dict[int, None] = {}
        where = []
        for path, levels in files.items():
            codes = [one.code(colours) for one in levels]
            if None in codes:  # in colour, or of more bits: reading it says so
                continue
            new = [code for code in codes if code is not None and code not in table]
            where += [path] if new else []
            lost |= dict.fromkeys(new)
        if not lost:
            return ""
        shares = shares_of(files.values(), colours)
        held = [
            f"{level_text(code, colours)} ({share:.2%})"
            for code, share in shares.items()
            if code is not None
        ]
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        return (
            f"{where[0]}{more}: values that no class has: {self._listed(sorted(lost))}. The masks "
            f"of the set hold {', '.join(held[:_SHOWN])}{', …' if len(held) > _SHOWN else ''} of "
            f"all pixels. Name each with its class, or as {LEFT_OUT}: {self._call(lost)}"
        )

    def _call(self, lost: Iterable[int]) -> str:
        from robustseg.data.sources.label_levels import level_text

        named: dict[int | str, str] = dict(self.values or {})
        if self.values is None:
            named = {**dict(enumerate(self.classes)), IGNORED: LEFT_OUT}
        named |= {level_text(code, self.colours): LEFT_OUT for code in [*sorted(lost)][:_SHOWN]}
        return shlex.quote(f"dataset.source.values={as_override(named)}")

    def _listed(self, codes: Sequence[int]) -> str:
        from robustseg.data.sources.label_levels import level_text

        listed = ", ".join(level_text(code, self.colours) for code in codes[:_SHOWN])
        return listed + (f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else "")


def as_override(values: Mapping[int | str, str]) -> str:
    """A mapping as the command line takes it."""
    return "{" + ", ".join(f"{key}: {name}" for key, name in values.items()) + "}"


def _number(key: object) -> int | None:
    """The whole number that a value is, or that its text is: JSON has text only."""
    if isinstance(key, bool):
        return None
    if isinstance(key, int):
        return key
    if isinstance(key, float):
        return int(key) if key.is_integer() else None
    text = str(key)
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else None
