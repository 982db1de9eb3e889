"""Whether a network gives one answer everywhere."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from robustseg.metrics.by_class import classes_in
from robustseg.metrics.counts import COUNTS

_SHARE = 0.01  # of the pixels of a class: fewer predicted than this is next to none


def collapse(tp: int, fp: int, fn: int, tn: int) -> str | None:
    """Tell a network that predicts (nearly) nothing but one class.

    It has collapsed to background if the pixels it calls foreground are fewer than 1 % of the true
    foreground, to foreground if those it calls background are fewer than 1 % of the true
    background. Measured against the class itself, so that rare foreground is not a collapse.

    Args:
        tp: true positive pixels over the whole test set.
        fp: false positives.
        fn: false negatives.
        tn: true negatives.

    Returns:
        "background", "foreground" or None; None as well where the test set has one class only.
    """
    foreground, background = tp + fn, fp + tn
    if not foreground or not background:
        return None
    if tp + fp < _SHARE * foreground:
        return "background"
    if fn + tn < _SHARE * background:
        return "foreground"
    return None


def collapse_of(columns: Mapping[str, ArrayLike]) -> str | None:
    """Tell whether the network of one evaluation predicts one class everywhere.

    Args:
        columns: the counts of its test images, ``tp``, ``fp``, ``fn`` and ``tn``, or ``tp/NAME``
            and so on of several classes; more are ignored.

    Returns:
        As `collapse`. Of several classes "foreground" if one of them is predicted everywhere,
        "background" if next to nothing is predicted of any. Those that no test mask has do not
        count unless they are predicted.

    Examples:
        >>> absent = {"tp/b": [0], "fp/b": [0], "fn/b": [0], "tn/b": [90]}
        >>> collapse_of({"tp/a": [0], "fp/a": [0], "fn/a": [50], "tn/a": [40], **absent})
        'background'
    """
    found = set()
    for of in [f"/{name}" for name in classes_in(columns)] or [""]:
        tp, fp, fn, tn = (int(np.sum(columns[f"{name}{of}"])) for name in COUNTS)
        if tp + fn:
            found.add(collapse(tp, fp, fn, tn))
        elif of and fp >= _SHARE * (fp + tn):  # a class without truth cannot be missed
            found.add("foreground" if tn < _SHARE * (fp + tn) else None)
    return "foreground" if "foreground" in found else found.pop() if len(found) == 1 else None
