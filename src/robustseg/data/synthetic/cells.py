"""Cells and glands: random ellipses on a jittered honeycomb, found for all pixels at once."""

from dataclasses import dataclass

import numpy as np

from robustseg.data.synthetic.texture import Array, smoothstep

TABLE = 4096  # kinds of cell; their numbers repeat beyond the tile only
ROW = np.float32(3**0.5)


@dataclass(frozen=True)
class Honeycomb:
    """For each pixel the nearest centre of a honeycomb of unit spacing.

    Attributes:
        across: Offset from that centre along the first axis, (canvas, canvas) float32.
        down: Offset along the second axis.
        index: Number of the cell in [0, TABLE), to look up its own random traits.
    """

    across: Array
    down: Array
    index: Array

    def trait(self, rng: np.random.Generator, low: float, high: float) -> Array:
        """Return a number for each pixel, uniform in [low, high] between cells, equal within."""
        return rng.uniform(low, high, TABLE).astype(np.float32)[self.index]


def honeycomb(rng: np.random.Generator, u: Array, v: Array, jitter: float) -> Honeycomb:
    """Lay a honeycomb over the plane.

    Args:
        rng: Source of the centres' shifts.
        u: First coordinate of each pixel in spacings, float32.
        v: Second coordinate.
        jitter: Largest shift of a centre along an axis, in spacings; below 0.25.
    """
    shift_u, shift_v = rng.uniform(-jitter, jitter, (2, TABLE)).astype(np.float32)
    candidates = []
    for offset in (np.float32(0), np.float32(0.5)):  # a honeycomb is two rectangular lattices
        column, row = np.rint(u - offset), np.rint(v / ROW - offset)
        # Odd multipliers spread neighbours over the table.
        index = (column * 73 + row * 1511 + offset * 998).astype(np.intp) & (TABLE - 1)
        across = u - (column + offset) - shift_u[index]
        down = v - (row + offset) * ROW - shift_v[index]
        candidates.append((across, down, index))
    first, second = candidates
    far = first[0] ** 2 + first[1] ** 2 > second[0] ** 2 + second[1] ** 2
    return Honeycomb(*(a + far * (b - a) for a, b in zip(first, second, strict=True)))


def nuclei(
    rng: np.random.Generator,
    comb: Honeycomb,
    *,
    radius: tuple[float, float],
    slim: tuple[float, float],
    turn: float,
    share: float,
) -> Array:
    """Return the stain of one nucleus a cell, (canvas, canvas) in [0, about 1].

    Args:
        rng: Source of the shapes.
        comb: The cells.
        radius: Range of the radius in spacings (geometric mean of the half axes).
        slim: Range of the ratio of the half axes, down over across.
        turn: Standard deviation of the turn in radians.
        share: Share of the cells that have a nucleus.
    """
    size = rng.uniform(*radius, TABLE)
    ratio = np.sqrt(rng.uniform(*slim, TABLE))
    angle = rng.normal(0, turn, TABLE)
    cos, sin, long, short = np.cos(angle), np.sin(angle), (size * ratio) ** -2, (size / ratio) ** -2
    xx = (cos**2 * short + sin**2 * long).astype(np.float32)[comb.index]
    yy = (sin**2 * short + cos**2 * long).astype(np.float32)[comb.index]
    xy = (2 * sin * cos * (short - long)).astype(np.float32)[comb.index]
    level = 1 - (xx * comb.across + xy * comb.down) * comb.across - yy * comb.down**2
    depth = (rng.uniform(0.6, 1.0, TABLE) * (rng.random(TABLE) < share)).astype(np.float32)
    return smoothstep(level, -0.1, 0.4) * depth[comb.index]
