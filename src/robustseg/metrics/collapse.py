"""Whether a network gives one answer everywhere."""

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
