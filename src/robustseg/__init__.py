"""robustseg: which segmentation loss survives bad masks."""

import os

# albumentations asks the package registry for a newer version at import unless this is set first.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"

IGNORED = 255  # the value of a mask's pixels that do not count; 0 is background, 1 foreground
# The foreground classes of label maps, in their order, wherever they are drawn; then from the start
# again. Okabe and Ito's for the colour-blind, the bright ones first, which show on films.
CLASS_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#0072B2", "#D55E00")


def label_palette() -> bytes:
    """Return red, green and blue of the labels 0 to 255 in turn, as the palette of a PNG has them.

    Black, then the classes' colours; 255, ignored, is grey.

    Examples:
        >>> label_palette()[:6].hex(" ", 3), label_palette()[-3:].hex()
        ('000000 56b4e9', '808080')
    """
    colors = [CLASS_COLORS[at % len(CLASS_COLORS)] for at in range(IGNORED - 1)]
    return bytes.fromhex("".join(color[1:] for color in ("#000000", *colors, "#808080")))
