"""Which new images a predict command names, and the names of what it writes for them."""

import glob
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from robustseg.data.sources.listing import (
    IMAGE_ENDINGS,
    OTHER_FORMATS,
    ending_of,
    unread_formats,
)
from robustseg.errors import DataError
from robustseg.terminal.count import count


def find_images(words: Iterable[str]) -> list[Path]:
    """Image files that words name: files, folders (without their subfolders) or patterns.

    Each file comes once, however it is named, in the order of the words.

    Raises:
        DataError: a word names no file, or a folder holds no image.
    """
    found: dict[str, Path] = {}
    for word in words:
        path = Path(word).expanduser()
        named = _named(path)
        images = named if _is_one(path) else _images(named)
        if not images:
            kind = "no image in it" if path.is_dir() else "no such file, folder or pattern"
            hint = ""
            if unread := unread_formats(_other_formats(named)):
                hint = f". {'; '.join(unread)}"
            elif path.is_dir() and (inner := _images(path.rglob("*"))):
                pattern = Path(glob.escape(str(path))) / "**" / f"*{inner[0].suffix}"
                hint = f". Its subfolders have some, which a pattern names: {str(pattern)!r}"
            elif "[" in word and not path.is_dir():
                hint = f". A [ in a name is written [[] in a pattern: {word.replace('[', '[[]')!r}"
            elif (ending := ending_of(path.name).lower()) in OTHER_FORMATS:
                hint = f". {ending} is not read: {OTHER_FORMATS[ending]}"
            raise DataError(f"{word}: {kind} (of {', '.join(IMAGE_ENDINGS)}){hint}")
        for image in images:
            found.setdefault(os.path.abspath(image), image)
    return list(found.values())


def passed_over(words: Iterable[str]) -> list[str]:
    """What folders and patterns have that looks like an image and is not read; a clause each."""
    clauses = []
    for word in words:
        path = Path(word).expanduser()
        if _is_one(path):
            continue
        named = _named(path)
        clauses += [f"{word}: {clause}" for clause in unread_formats(_other_formats(named))]
        lost = [one for one in named if _is_shown(one) and one.is_symlink() and not one.exists()]
        if lost:
            kind = "a link" if len(lost) == 1 else count(len(lost), "link")
            clauses.append(f"{lost[0]}: {kind} to nothing")
    return clauses


def _is_one(path: Path) -> bool:
    return path.exists() and not path.is_dir()


def _named(path: Path) -> list[Path]:
    """All that a word names: what is in a folder, a file itself, or what fits a pattern."""
    if path.is_dir():
        return list(path.iterdir())
    return (
        [path] if path.exists() else [Path(name) for name in glob.glob(str(path), recursive=True)]
    )


def _is_shown(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".")


def _images(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if _is_shown(path) and path.is_file())


def _other_formats(paths: Iterable[Path]) -> Counter[str]:
    endings = (ending_of(path.name).lower() for path in paths if not path.name.startswith("."))
    return Counter(ending for ending in endings if ending in OTHER_FORMATS)


def output_names(images: Sequence[Path]) -> list[str]:
    """A name for each image's outputs, all different: its stem where that is enough.

    Where two stems are equal, all images are named by their path below the folder that they share.

    Raises:
        DataError: two images differ in nothing but their suffix or capitals.
    """
    names = [image.stem for image in images]
    if _twice(names) is not None:
        absolute = [Path(os.path.abspath(image)) for image in images]
        shared = os.path.commonpath([image.parent for image in absolute])
        names = [image.relative_to(shared).with_suffix("").as_posix() for image in absolute]
    twins = _twice(names)
    if twins is not None:
        first, second = (images[at] for at in twins)
        raise DataError(
            f"{first} and {second} would have the same output, at least where capitals do not "
            "count. Rename one of them"
        )
    return names


def _twice(names: Sequence[str]) -> list[int] | None:
    """Positions of two equal names; the case of letters does not distinguish files everywhere."""
    places = defaultdict(list)
    for at, name in enumerate(names):
        places[name.lower()].append(at)
    return next((found[:2] for found in places.values() if len(found) > 1), None)
