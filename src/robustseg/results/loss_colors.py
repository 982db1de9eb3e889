"""The colour of each loss, the same in every figure and dashboard."""

import zlib

from robustseg.results.names import LOSSES

# Okabe and Ito's colours for the colour-blind, and more than as many again for whole tables.
COLORS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "black": "#000000",
    "wine": "#882255",
    "olive": "#999933",
    "violet": "#6A51A3",
    "grey": "#8C8C8C",
    "brown": "#7A4B12",
    "pink": "#DC267F",
    "teal": "#44AA99",
    "indigo": "#332288",
    "sand": "#C8B560",
    "lime": "#7FBF1A",  # seventeen: no multiple of the number of markers
}
# Not those of the paper's losses, which stand beside them in a table.
_APART = {
    "tloss_area": "black",
    "tloss_area_mean": "teal",
    "tloss_ratio": "lime",
    "dice_ce": "indigo",
    "noise_robust_dice": "sand",
    "mse": "olive",
}


def loss_color(loss: str) -> int:
    """The place of a loss's colour; a loss of one's own has that of its name's checksum.

    Args:
        loss: its name in settings, such as ``tloss``.

    Example:
        >>> list(COLORS)[loss_color("gce")]
        'vermilion'
    """
    if loss in _APART:
        return list(COLORS).index(_APART[loss])
    known = list(LOSSES)
    return (known.index(loss) if loss in LOSSES else zlib.crc32(loss.encode())) % len(COLORS)
