"""Numbers of things in words."""


def count(number: int, name: str, several: str = "") -> str:
    """A number and what is counted, in the singular or the plural.

    Args:
        number: of things.
        name: of one.
        several: of more or none; "": the name with an s.

    Example:
        >>> count(1, "run"), count(2, "run"), count(2, "loss", "losses")
        ('1 run', '2 runs', '2 losses')
    """
    return f"{number} {name if number == 1 else several or f'{name}s'}"
