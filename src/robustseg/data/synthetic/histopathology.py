"""Tiles of colon tissue stained with haematoxylin and eosin, a few of them with tumour.

Layout, colours and the share of a positive tile that is tumour follow EBHI-Seg (Shi et al. 2023,
arXiv:2212.00532). Benign tiles show round or long glands with an orderly rim of nuclei; tumour is
crowded by large, uneven nuclei without order, around slits and holes.
"""

import math

import numpy as np

from robustseg.data.synthetic.cells import honeycomb, nuclei
from robustseg.data.synthetic.texture import (
    Array,
    canvas_side,
    field,
    fractal,
    grid,
    length,
    mix,
    ridges,
    shrink,
    smoothstep,
)

# Share of a positive tile that is tumour: quantiles over EBHI-Seg's adenocarcinomas.
QUANTILES = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
FRACTIONS = (0.138, 0.348, 0.422, 0.558, 0.681, 0.789, 0.913, 0.982, 1.0)

# Density per unit of stain in red, green, blue.
HAEMATOXYLIN = np.array([1.00, 1.60, 0.40])
EOSIN = np.array([0.18, 0.90, 0.27])


def draw(rng: np.random.Generator, size: int, tumour: bool) -> tuple[Array, Array]:
    """Draw one tile.

    Args:
        rng: Generator in the state that belongs to this tile.
        size: Side of the tile in pixels.
        tumour: Whether there is tumour in it.

    Returns:
        Image (size, size, 3) uint8 RGB and mask (size, size) uint8 with 1 in tumour.
    """
    canvas = canvas_side(size)
    zoom = rng.uniform(0.8, 1.3)
    haema, eosin = _stroma(rng, zoom, canvas)
    inside = np.full((canvas, canvas), -1, np.float32)
    if rng.random() < (0.2 if tumour else 0.93):
        haema, eosin = _over(haema, eosin, *_glands(rng, zoom, canvas))
    if tumour:
        inside = _region(rng, canvas)
        # The tissue has shrunk off the rim of the tumour in places.
        cleft = np.exp(-(((inside + 0.05) / 0.05) ** 2)) * smoothstep(field(rng, 5, canvas), 0.2, 1)
        haema, eosin = haema * (1 - cleft), eosin * (1 - 0.9 * cleft)
        haema, eosin = _over(haema, eosin, *_tumour(rng, inside, zoom, canvas))
    picture = _stain(rng, haema, eosin)
    grain = rng.uniform(0.5, 2.5) * rng.standard_normal((size, size, 1), dtype=np.float32)
    image = np.clip(shrink(picture, size) + grain, 0, 255).astype(np.uint8)
    return image, (shrink(inside, size) > 0).astype(np.uint8)


def _over(
    haema: Array, eosin: Array, top_haema: Array, top_eosin: Array, cover: Array
) -> tuple[Array, Array]:
    """Lay one tissue over another where the cover is 1."""
    return haema + cover * (top_haema - haema), eosin + cover * (top_eosin - eosin)


def _region(rng: np.random.Generator, canvas: int) -> Array:
    """Return a smooth field, positive in tumour: large lobes that run over the edge of the tile."""
    fraction = float(np.interp(rng.random(), QUANTILES, FRACTIONS))
    lobes = field(rng, int(rng.integers(3, 6)), canvas) + 0.35 * field(rng, 7, canvas)
    lobes += rng.uniform(0.02, 0.10) * fractal(rng, 16, 2, canvas)
    return lobes - np.float32(np.quantile(lobes[::4, ::4], 1 - fraction))


def _turned(rng: np.random.Generator, canvas: int, bend: float) -> tuple[Array, Array]:
    """Return coordinates of the pixels on a plane that is turned and bent by about ``bend``."""
    x, y = grid(canvas)
    x = x + bend * field(rng, 4, canvas)
    y = y + bend * field(rng, 4, canvas)
    turn = rng.uniform(0, 2 * math.pi)
    u = math.cos(turn) * x + math.sin(turn) * y + rng.uniform(0, 9)
    v = math.cos(turn) * y - math.sin(turn) * x + rng.uniform(0, 9)
    return u, v


def _stroma(rng: np.random.Generator, zoom: float, canvas: int) -> tuple[Array, Array]:
    """Return haematoxylin and eosin of loose tissue: fibres, gaps, small nuclei, blood."""
    u, v = _turned(rng, canvas, 0.03)
    fibres = ridges(rng, 14, 1.0, canvas) + ridges(rng, 40, 1.0, canvas)
    gaps = smoothstep(fractal(rng, 9, 4, canvas), rng.uniform(0.0, 1.2), 2.4)
    eosin = (0.25 + 0.30 * fibres + 0.10 * field(rng, 90, canvas)) * (1 - 0.9 * gaps)
    blood = smoothstep(field(rng, 9, canvas), rng.uniform(1.3, 2.6), 2.8)
    eosin += 1.0 * blood * smoothstep(field(rng, 70, canvas), -0.8, 0.3)
    spacing = 0.036 * zoom
    comb = honeycomb(rng, u / spacing, v / spacing, 0.24)
    dots = nuclei(
        rng, comb, radius=(0.22, 0.45), slim=(1.0, 3.0), turn=0.6, share=rng.uniform(0.4, 1.0)
    )
    haema = 0.12 * fibres * (1 - gaps) + 1.5 * dots * (1 - 0.6 * gaps) * (1 - blood)
    return haema.astype(np.float32), np.maximum(eosin, 0.02).astype(np.float32)


def _glands(rng: np.random.Generator, zoom: float, canvas: int) -> tuple[Array, Array, Array]:
    """Return haematoxylin, eosin and cover of benign glands: rim of nuclei, goblet cells, lumen."""
    u, v = _turned(rng, canvas, rng.uniform(0.01, 0.05))
    spacing, stretch = zoom * rng.uniform(0.20, 0.42), 1 + rng.exponential(0.4)
    comb = honeycomb(rng, u / spacing, v / (spacing * stretch), 0.12)
    radius = comb.trait(rng, 0.36, 0.48)
    ring = length(comb.across, comb.down) / radius
    depth = (1 - ring) * radius * spacing
    around = np.arctan2(comb.down, comb.across) * radius * spacing
    rim = rng.uniform(0.25, 0.6)  # share of the wall that holds nuclei
    lumen = comb.trait(rng, 0.08, 0.35)
    wall = (1 - ring) / (1 - lumen)
    unit = 0.022 * zoom
    rows = honeycomb(rng, around / unit, depth / (1.6 * unit), 0.2)
    dots = nuclei(rng, rows, radius=(0.35, 0.5), slim=(0.8, 1.4), turn=0.2, share=0.95)
    goblets = honeycomb(rng, around / (2.4 * unit) + 0.3, depth / (3.2 * unit), 0.15)
    mucus = nuclei(
        rng, goblets, radius=(0.4, 0.55), slim=(0.9, 1.3), turn=0.1, share=rng.uniform(0, 1.2)
    ) * smoothstep(wall, 0.7 * rim, rim + 0.1)
    haema = rng.uniform(0.35, 0.8) * (1 - 0.5 * wall) + 1.4 * dots * smoothstep(
        -wall, -rim - 0.1, -rim + 0.05
    )
    eosin = 0.45 + 0.1 * field(rng, 60, canvas)
    keep = (1 - 0.9 * mucus) * (1 - smoothstep(wall, 0.92, 1.0))
    cover = smoothstep(ring, 1.10, 1.04)
    edge = smoothstep(-ring, -1.03, -0.98)  # a pale line around the gland
    return haema * keep * edge, np.maximum(eosin, 0) * keep * (0.3 + 0.7 * edge), cover


def _tumour(
    rng: np.random.Generator, inside: Array, zoom: float, canvas: int
) -> tuple[Array, Array, Array]:
    """Return haematoxylin, eosin and cover of tumour: crowded uneven nuclei, slits and holes."""
    u, v = _turned(rng, canvas, 0.03)
    holes, seams = _gaps(rng, canvas)
    unit = zoom * rng.uniform(0.020, 0.032)
    if rng.random() < 0.6:  # nuclei stand in rows around slits, back to back with the next rows
        spacing = zoom * rng.uniform(0.25, 0.6)
        glands = honeycomb(rng, u / spacing, v / (spacing * rng.uniform(1, 1.6)), 0.24)
        reach = length(glands.across, glands.down)
        holes = np.minimum(holes, 2.5 * (reach - glands.trait(rng, -0.2, 0.15)))
        u = np.arctan2(glands.down, glands.across) * (0.35 * spacing / unit) + 0.5 * field(
            rng, 9, canvas
        )
        v, slim, turn = reach * (spacing / (1.7 * unit)), (0.9, 1.7), 0.35
        still = smoothstep(reach, 0.05, 0.18)  # none in the middle, where the rows would meet
    else:
        u, v, slim, turn, still = u / unit, v / unit, (1.0, 2.2), 1.5, np.ones_like(u)
    comb = honeycomb(rng, u, v, 0.24)
    dots = nuclei(rng, comb, radius=(0.34, 0.60), slim=slim, turn=turn, share=0.93) * still
    crowd = rng.uniform(0.6, 1.1) * (1 + 0.25 * fractal(rng, 6, 2, canvas))
    haema = (0.35 + 1.1 * dots * (1 + 0.25 * field(rng, 120, canvas))) * crowd
    eosin = 0.50 + 0.15 * field(rng, 50, canvas)
    keep = smoothstep(holes, 0.0, 0.12) * (1 - 0.6 * seams)
    cover = smoothstep(inside, -0.03, 0.03)
    return haema * keep, np.maximum(eosin, 0) * (0.05 + 0.95 * keep), cover


def _gaps(rng: np.random.Generator, canvas: int) -> tuple[Array, Array]:
    """Return a field that is negative in holes and slits of the tumour, and its pale seams."""
    round_ = rng.uniform(1.3, 2.4) - fractal(rng, int(rng.integers(6, 11)), 2, canvas)
    thin = np.abs(fractal(rng, int(rng.integers(3, 6)), 2, canvas)) * 2.5
    thin += 2.5 * smoothstep(field(rng, 6, canvas), 1.0, -0.5) - rng.uniform(0.05, 0.25)
    seams = ridges(rng, int(rng.integers(3, 6)), 0.05, canvas)
    return np.minimum(round_, thin), seams


def _stain(rng: np.random.Generator, haema: Array, eosin: Array) -> Array:
    """Return the colours (canvas, canvas, 3) in [0, 255] of a slide and its scanner."""
    strong, pink = rng.uniform(0.75, 1.4), rng.uniform(0.6, 1.5)
    purple = HAEMATOXYLIN * np.exp(rng.normal(0, (0.15, 0.05, 0.25)))
    rose = EOSIN * np.exp(rng.normal(0, (0.3, 0.05, 0.25)))
    density = mix([strong * haema, pink * eosin], [purple, rose])
    light = rng.uniform(0.85, 1.05) * (1 - np.abs(rng.normal(0, (0.07, 0.03, 0.08))))
    # Some scanners stretch the contrast.
    return 255 * light.astype(np.float32) * np.exp(-rng.uniform(0.85, 1.2) * density)
