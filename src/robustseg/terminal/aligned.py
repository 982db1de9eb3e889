"""Rows of cells in aligned columns."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: bool = False) -> str:
    """Rows of text, one a line, with two spaces between the columns.

    Args:
        rows: equally long; a heading is one of them.
        right: whether all columns but the first are aligned to the right, as numbers are.

    Example:
        >>> print(aligned([["split", "images"], ["train", "8"]], right=True))
        split  images
        train       8
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if right and at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
