"""Augmentation that can be drawn on one device and done on another."""

from collections.abc import Iterable

DRAWABLE = ("HorizontalFlip", "VerticalFlip", "RandomGamma")


def check_drawable(transforms: Iterable[str]) -> None:
    """Refuse what is neither a flip nor a map of grey levels.

    Args:
        transforms: names of albumentations' classes.

    Raises:
        ValueError: a transform that `dataset.device=cuda` cannot repeat.
    """
    for name in transforms:
        if name not in DRAWABLE:
            raise ValueError(
                f"dataset.device=cuda has no {name} (it has {', '.join(DRAWABLE)}): "
                "take another augmentation or dataset.device=cpu"
            )
