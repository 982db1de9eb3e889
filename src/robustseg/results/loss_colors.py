"""The colour of each loss, the same in every figure and dashboard."""

import zlib

from robustseg.results.names import LOSSES

# Okabe and Ito's colours for the colour-blind, and as many again for whole tables of losses.
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
}
_APART = {"tloss_area": 6, "tloss_area_mean": 5}  # not those of T-Loss, GCE and MAE beside them


def loss_color(loss: str) -> int:
    """The place of a loss's colour; a loss of one's own has that of its name's checksum.

    Args:
        loss: its name in settings, such as ``tloss``.

    Example:
        >>> list(COLORS)[loss_color("gce")]
        'vermilion'
    """
    if loss in _APART:
        return _APART[loss]
    known = list(LOSSES)
    return (known.index(loss) if loss in LOSSES else zlib.crc32(loss.encode())) % len(COLORS)
