"""Numbers as the papers print them."""

import math


def mean_std(mean: float, std: float = math.nan, decimals: int = 3) -> str:
    """Write a mean and a standard deviation in the short form, 0.761(6) for 0.761 ± 0.006.

    The digits in parentheses are the deviation in units of the mean's last one: 0.772(15) is
    0.772 ± 0.015, and 0.761(0) one that rounds to 0. A deviation of 1 or more is written with its
    decimal point, 12.345(2.300), which cannot be misread.

    Args:
        mean: NaN is written "–".
        std: NaN, that of a single value, is left out: 0.761.
        decimals: of the mean, at least 1.
    """
    if math.isnan(mean):
        return "–"
    text = f"{mean:.{decimals}f}".replace("-", "−")
    if math.isnan(std):
        return text
    rounded = f"{std:.{decimals}f}"
    digits = rounded if float(rounded) >= 1 else rounded.replace("0.", "").lstrip("0") or "0"
    return f"{text}({digits})"


def difference(ours: float, theirs: float, decimals: int = 3) -> str:
    """Write ours − theirs with its sign, +0.012 or −0.004; "–" if one of them is missing."""
    if math.isnan(ours) or math.isnan(theirs):
        return "–"
    # Adding 0 makes −0 a 0: what rounds to nothing has no sign of its own.
    return f"{round(ours - theirs, decimals) + 0.0:+.{decimals}f}".replace("-", "−")
