"""Find numbers in the sentences of pages that the records no longer give.

Each number of three decimals outside the tables that `pages.py` writes has to be in one of these
tables, or in the output of a call that the page names in a comment:

    <!-- numbers: claims tloss_area --metric dice_image dice_image_tuned -->

and numbers from elsewhere, such as papers, are listed in another:

    <!-- numbers by hand: 0.761 0.691 -->

A difference with its interval (0.094 [0.049, 0.139]) is looked up as a whole, with either sign, and
so is a mean with its deviation (0.769(4)). A page without such a comment is not checked.

    python experiments/prose.py            # names what is stale, with the nearest of the records
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pages import TABLE, pages, printed

_CALL = re.compile(r"^<!-- numbers: (.+) -->$", re.MULTILINE)
_BY_HAND = re.compile(r"^<!-- numbers by hand: (.+) -->$", re.MULTILINE)
_NUMBER = r"[+−-]?\d+\.\d{3}(?!\d)"
_INTERVAL = rf"\[({_NUMBER}), ({_NUMBER})\]"
_CLAIM = re.compile(rf"(?<![\d.])({_NUMBER}) {_INTERVAL}")
_ALONE = re.compile(_INTERVAL)
_MEAN = re.compile(rf"(?<![\d.])({_NUMBER})(\(\d+\))?")


@dataclass
class Numbers:
    """What the calls of a page give."""

    claims: dict[tuple[float, ...], str] = field(default_factory=dict)  # with whose it is
    intervals: set[tuple[float, ...]] = field(default_factory=set)
    means: set[str] = field(default_factory=set)

    def add_table(self, text: str) -> None:
        """Take the means of a table, with and without their deviations."""
        for mean, deviation in _MEAN.findall(text):
            self.means |= {_unsigned(mean), _unsigned(mean) + deviation}

    def add_claims(self, claims: Iterable[dict]) -> None:
        """Take differences and p of claims, of these networks and as methods, turned either way."""
        for claim in claims:
            self.means.add(f"{claim['p_corrected']:.3f}")
            whose = " ".join(
                str(claim[name])
                for name in ("metric", "noise", "alpha", "beta", "first", "second")
                if claim[name] is not None
            )
            for of in ("", "methods_"):
                difference, low, high = (claim[of + name] for name in ("difference", "low", "high"))
                if low is not None:
                    self.means.add(f"{abs(difference):.3f}")
                    for numbers in ((difference, low, high), (-difference, -high, -low)):
                        rounded = tuple(round(number, 3) + 0.0 for number in numbers)
                        self.claims.setdefault(rounded, whose)
                        self.intervals.add(rounded[1:])

    def nearest(self, claim: tuple[float, ...]) -> str:
        """The claim whose numbers are nearest, in words."""
        if not self.claims:
            return "the page names no claims"
        found = min(self.claims, key=lambda other: sum(map(_distance, claim, other)))
        mean, low, high = (f"{number:.3f}".replace("-", "−") for number in found)
        return f"nearest: {mean} [{low}, {high}] ({self.claims[found]})"


def _distance(one: float, other: float) -> float:
    return abs(one - other)


def _unsigned(number: str) -> str:
    return number.lstrip("+−-")


def _value(number: str) -> float:
    return float(number.replace("−", "-")) + 0.0


def given(page: Path) -> Numbers | None:
    """What the tables of a page and the calls that it names give; None if it names none."""
    text = page.read_text(encoding="utf-8")
    calls = _CALL.findall(text)
    if not calls:
        return None
    numbers = Numbers()
    for known in [table["text"] for table in TABLE.finditer(text)] + _BY_HAND.findall(text):
        numbers.add_table(known)
    for call in calls:
        if call.startswith("claims "):
            numbers.add_claims(json.loads(printed(f"{call} --format json")))
        else:
            numbers.add_table(printed(call))
    return numbers


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page, with their numbers, without comments and the tables of calls."""
    for pattern in (TABLE, re.compile(r"<!--.*?-->", re.DOTALL)):
        text = pattern.sub(lambda one: "\n" * one[0].count("\n"), text)
    yield from enumerate(text.splitlines(), start=1)


def stale(page: Path) -> list[str]:
    """What is in no table and no claim of a page: its line, the number, and what is nearest."""
    numbers = given(page)
    if numbers is None:
        return []
    found = []
    for at, line in sentences(page.read_text(encoding="utf-8")):
        for one in _CLAIM.finditer(line):
            claim = tuple(map(_value, one.groups()))
            if claim not in numbers.claims:
                found.append(f"{page}:{at}: {one[0]}; {numbers.nearest(claim)}")
        line = _CLAIM.sub("", line)
        for one in _ALONE.finditer(line):
            if tuple(map(_value, one.groups())) not in numbers.intervals:
                found.append(f"{page}:{at}: {one[0]}")
        for one in _MEAN.finditer(_ALONE.sub("", line)):
            if _unsigned(one[0]) not in numbers.means:
                found.append(f"{page}:{at}: {one[0]}")
    return found


def main() -> int:
    """Print what is stale; return 1 if something is."""
    found = [line for page in pages() for line in stale(page)]
    print("\n".join(found) or "All numbers in sentences are those of the records.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
