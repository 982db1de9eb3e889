"""Numbers as text, such that no two look alike."""

_WHOLE = 1e15  # below it a whole number is written with all its digits


def number_text(value: float) -> str:
    """A number in the fewest digits that give it: six or fewer where those do.

    Example:
        >>> [number_text(value) for value in (0.5, 1e-05, 20240101.0, 1 / 3)]
        ['0.5', '1e-05', '20240101', '0.3333333333333333']
    """
    value = float(value)
    if value.is_integer() and abs(value) < _WHOLE:
        return f"{value:.0f}"
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
