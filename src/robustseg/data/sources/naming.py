"""Which mask belongs to which image, by templates of their names."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from robustseg.errors import OptionError

_ENDINGS = ("_mask", "_masks", "_segmentation", "_seg", "_label", "_labels", "_gt")


def _fields(setting: str, template: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise OptionError(f"dataset.source.{setting}={template}: {error}") from error
    names = [name for _, name, _, _ in parts if name is not None]
    if any(not name.isidentifier() for name in names) or any(
        spec or conversion for _, name, spec, conversion in parts if name is not None
    ):
        raise OptionError(
            f"dataset.source.{setting}={template}: fields are names in braces, such as {{case}}"
        )
    return names


@cache
def _pattern(template: str) -> str:
    seen: set[str] = set()
    pattern = ""
    for text, name, _, _ in string.Formatter().parse(template):
        pattern += re.escape(text)
        if name is not None:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+)"
            seen.add(name)
    return pattern


@dataclass(frozen=True)
class Naming:
    """A rule from the name of an image to that of its mask, both without their endings.

    Attributes:
        image: template of images' names, such as ``{case}_0000``; others are not images. None: all
            are.
        mask: template of masks' names, such as ``{stem}_mask``: ``{stem}`` is the image's name, and
            every field of `image` may stand in it.

    Raises:
        OptionError: a template is invalid, or the mask's has an unknown field.

    Examples:
        >>> Naming("{case}_0000", "{case}").mask_of("P1_0000")
        'P1'
        >>> Naming(None, "{stem}_mask").mask_of("P1")
        'P1_mask'
    """

    image: str | None
    mask: str

    def __post_init__(self) -> None:
        known = {"stem", *(() if self.image is None else _fields("image_template", self.image))}
        used = _fields("mask_template", self.mask)
        for name in used:
            if name not in known:
                raise OptionError(
                    f"dataset.source.mask_template={self.mask}: there is no {{{name}}}. Use "
                    + " and ".join(f"{{{one}}}" for one in sorted(known))
                )
        if not used:
            raise OptionError(
                f"dataset.source.mask_template={self.mask}: all images would have one mask. Write "
                "{stem} for the image's name, such as {stem}_mask"
            )

    def mask_of(self, stem: str) -> str | None:
        """The name of the mask of an image; None if the name is that of no image."""
        if self.image is None:
            return self.mask.format(stem=stem)
        match = re.fullmatch(_pattern(self.image), stem)
        return match and self.mask.format(**match.groupdict() | {"stem": stem})

    def is_mask(self, stem: str) -> bool:
        """Whether a name is that of the mask of some image."""
        return re.fullmatch(_pattern(self.mask), stem) is not None

    def images_in_one_folder(
        self, stems: Collection[str], among: Collection[str] | None = None
    ) -> list[str]:
        """The names of images in a folder of both: those that are not the mask of another.

        Without a mask of its own, none is that of a mask whose image is not there, either, or of a
        further mask of an image.

        Args:
            stems: names that may be those of images.
            among: all names in the folder, if there are others.
        """
        there = set(stems if among is None else among)
        own = {stem: mask for stem in stems if (mask := self.mask_of(stem)) is not None}
        masks = {mask for stem, mask in own.items() if mask != stem}
        return [
            stem
            for stem, mask in own.items()
            if stem not in masks and (mask in there or not self._like_mask(stem, masks))
        ]

    def masks_in_one_folder(self, stems: Collection[str]) -> list[str]:
        """The names in a folder of both that are those of masks, whether or not of an image."""
        images = {*self.images_in_one_folder(stems)}
        masks = {mask for stem in images if (mask := self.mask_of(stem)) is not None}
        return [
            stem
            for stem in stems
            if stem not in images and (stem in masks or self._like_mask(stem, masks))
        ]

    def _like_mask(self, stem: str, masks: Collection[str]) -> bool:
        """Whether a name is that of some image's mask, or of a further one beside `masks`."""
        if re.fullmatch(r"\{\w+\}", self.mask):  # every name would be
            return False
        if self.is_mask(stem):
            return True
        mask = self.mask_of(stem)  # a_i of the image a_im says nothing of a_im
        return extends(stem, masks) and not (mask is not None and stem.startswith(mask))

    def __str__(self) -> str:
        """The settings that ask for it."""
        if self.image is None and self.mask.startswith("{stem}"):
            return f"dataset.source.mask_suffix={self.mask.removeprefix('{stem}')}"
        # Hydra would read unquoted braces as a mapping, and a shell takes the quotes off.
        image = "" if self.image is None else f"'dataset.source.image_template=\"{self.image}\"' "
        return f"{image}'dataset.source.mask_template=\"{self.mask}\"'"


# Usual names; nnU-Net has its channels in the last four digits, DRIVE its graders.
USUAL = (
    *(Naming(None, "{stem}" + ending) for ending in _ENDINGS),
    *(
        Naming(image, mask)
        for first in ("image", "img")
        for second in ("mask", "label", "seg", "gt")
        for image, mask in (
            (f"{first}_{{case}}", f"{second}_{{case}}"),
            (f"{{case}}_{first}", f"{{case}}_{second}"),
        )
    ),
    Naming("{case}_0000", "{case}"),
    Naming("{case}_training", "{case}_manual1"),
    Naming("{case}_test", "{case}_manual1"),
)


@dataclass(frozen=True)
class Match:
    """How well a naming fits the names that there are.

    Attributes:
        naming: the rule.
        pairs: of image and mask.
        images: how many images there are by it.
        others: names that are neither image nor mask by it.
    """

    naming: Naming
    pairs: dict[str, str]
    images: int
    others: int

    @property
    def whole(self) -> bool:
        """Whether every image has a mask, and no name is left."""
        return bool(self.pairs) and len(self.pairs) == self.images and not self.others


def extends(stem: str, names: Collection[str]) -> bool:
    """Whether a name is one of others with something behind it.

    Examples:
        >>> extends("P1_mask_2", {"P1_mask"}), extends("P10", {"P1"})
        (True, False)
    """
    return any(
        stem[:at] in names and not (stem[at - 1].isdigit() and stem[at].isdigit())
        for at in range(1, len(stem))
    )


def matches(images: Collection[str], masks: Collection[str], one_folder: bool) -> list[Match]:
    """The usual namings that fit at least one image, the best first.

    Args:
        images: names in the folder of images.
        masks: names in that of masks.
        one_folder: whether it is the same folder, so that a mask's name is among the images'.
    """
    found = [_match(naming, images, masks, one_folder) for naming in USUAL]
    return sorted((one for one in found if one.pairs), key=lambda one: -len(one.pairs))


def recognised(found: Iterable[Match]) -> Naming | None:
    """The naming that fits all names, if all that do so give the same pairs."""
    whole = [one for one in found if one.whole]
    if not whole or any(one.pairs != whole[0].pairs for one in whole):
        return None
    return whole[0].naming


def _match(
    naming: Naming, images: Collection[str], masks: Collection[str], one_folder: bool
) -> Match:
    there = set(masks)
    own = naming.images_in_one_folder(images) if one_folder else list(images)
    wanted: Mapping[str, str | None] = {stem: naming.mask_of(stem) for stem in own}
    pairs = {stem: mask for stem, mask in wanted.items() if mask in there and mask is not None}
    rest = [stem for stem, mask in wanted.items() if mask is None]
    if naming.image == "{case}_0000":
        rest = [stem for stem in rest if not re.fullmatch(r".+_\d{4}", stem)]  # other channels
    if one_folder:
        rest = sorted(set(images) - set(own) - set(pairs.values()))
    return Match(naming, pairs, sum(mask is not None for mask in wanted.values()), len(rest))
