"""Dermoscopic pictures of one pigmented lesion on skin, with the artefacts of the real ones.

Sizes, colours and contrasts follow the training images of ISIC 2017 (Codella et al. 2017,
arXiv:1710.05006), reduced to 256 × 256 centre crops.
"""

import numpy as np

from robustseg.data.synthetic import dermoscope
from robustseg.data.synthetic.texture import Array, field, fractal, grid, shrink, smoothstep

# Share of the frame covered by the lesion: quantiles over ISIC 2017.
QUANTILES = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
FRACTIONS = (0.010, 0.021, 0.033, 0.067, 0.168, 0.357, 0.622, 0.745, 0.90)

# Optical density per unit of pigment or of blood in red, green and blue.
MELANIN = np.array([0.42, 1.0, 1.38], np.float32)
BLOOD = np.array([0.10, 1.0, 0.80], np.float32)
VEIL = np.array([1.30, 1.0, 0.55], np.float32)  # blue-white veil: pigment deep in the skin


def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one picture.

    Args:
        rng: Generator in the state that belongs to this picture.
        size: Side of the picture in pixels.

    Returns:
        Image (size, size, 3) uint8 RGB and mask (size, size) uint8 with 1 inside the lesion's
        outline.
    """
    canvas = 2 * size
    fraction = float(np.interp(rng.random(), QUANTILES, FRACTIONS))
    inside = _outline(rng, fraction, canvas)
    density = _skin(rng, canvas) + _lesion(rng, inside, fraction, canvas)
    picture = 255 * np.exp(-density)
    picture = dermoscope.overlay(rng, picture, fraction)
    noise = rng.normal(0, rng.uniform(0.5, 2.5), (size, size, 1))
    image = np.clip(shrink(picture, size) + noise, 0, 255).astype(np.uint8)
    return image, (shrink(inside, size) > 0).astype(np.uint8)


def _outline(rng: np.random.Generator, fraction: float, canvas: int) -> Array:
    """Return 1 - ρ/R(θ): 1 at the lesion's centre, 0 on its outline, negative outside.

    R is a Fourier series over a bent plane, so the lesion is one piece without holes; its scale is
    chosen such that it covers ``fraction`` of the frame.
    """
    x, y = grid(canvas)
    radius = np.sqrt(fraction / np.pi)
    centre = np.clip(rng.normal((0.487, 0.501), 0.075), 0.2, 0.8)
    bend = rng.uniform(0, 0.12) * radius
    dx = x - centre[0] + bend * field(rng, 5, canvas)
    dy = y - centre[1] + bend * field(rng, 5, canvas)
    turn, aspect = rng.uniform(0, np.pi), rng.uniform(0.55, 1.0)
    along = (np.cos(turn) * dx + np.sin(turn) * dy) * np.sqrt(aspect)
    across = (np.cos(turn) * dy - np.sin(turn) * dx) / np.sqrt(aspect)
    distance = np.hypot(along, across) / _wobble(rng, np.arctan2(across, along))
    return 1 - distance / np.quantile(distance[::4, ::4], fraction)


def _wobble(rng: np.random.Generator, angle: Array) -> Array:
    """Return R(θ): one plus random harmonics, a few strong ones and many weak (ragged) ones."""
    order = np.arange(2, 48)
    lobes, ragged = rng.uniform(0.04, 0.18), rng.uniform(0.0, 0.01)
    amplitude = lobes * (order / 2.0) ** -2.2 + ragged * (order / 10.0) ** -0.7 * (order > 6)
    amplitude = amplitude * rng.standard_normal(len(order))
    phase = rng.uniform(0, 2 * np.pi, len(order))
    turn = np.linspace(-np.pi, np.pi, 721)
    radius = (amplitude[:, None] * np.cos(order[:, None] * turn + phase[:, None])).sum(0)
    return np.interp(angle, turn, np.exp(radius)).astype(np.float32)


def _skin(rng: np.random.Generator, canvas: int) -> Array:
    """Return the optical density of the skin, (canvas, canvas, 3)."""
    tone = np.array([0.30, 0.45, 0.52]) + rng.normal(0, 0.15) * np.array([0.8, 1.0, 1.2])
    tone = np.clip(tone + rng.normal(0, 0.05, 3) * np.array([1.0, 0.6, 1.2]), 0.02, 1.2)
    melanin = rng.uniform(0.01, 0.05) * fractal(rng, 3, 4, canvas)
    blood = rng.uniform(0.005, 0.05) * fractal(rng, 8, 4, canvas)
    grain = rng.uniform(0.005, 0.03) * field(rng, 110, canvas)
    return tone.astype(np.float32) + (
        (melanin + grain)[..., None] * MELANIN + blood[..., None] * BLOOD
    )


def _lesion(rng: np.random.Generator, inside: Array, fraction: float, canvas: int) -> Array:
    """Return the optical density that the lesion adds to the skin, (canvas, canvas, 3)."""
    strength = np.clip(rng.lognormal(np.log(0.45), 0.6), 0.1, 1.6)
    border = rng.uniform(0.03, 0.5)
    cover = smoothstep(inside, -0.03, border)
    cells = int(np.clip(4 / np.sqrt(fraction), 4, 24))
    pigment = 1 + rng.uniform(0.1, 0.5) * fractal(rng, cells, 3, canvas)
    pigment += rng.uniform(0, 1.2) * smoothstep(
        inside + rng.uniform(0, 0.3) * field(rng, cells, canvas), 0.2, 0.8
    )
    pigment += _pattern(rng, canvas)
    pigment *= 1 - rng.uniform(0, 0.8) * smoothstep(field(rng, cells, canvas), 0.8, 1.8)
    melanin = strength * cover * np.maximum(pigment, 0.15) / 1.4
    blood = cover * rng.uniform(0, 0.25)
    density = melanin[..., None] * MELANIN + blood[..., None] * BLOOD
    if rng.random() < 0.3:
        deep = (
            cover
            * strength
            * rng.uniform(0.2, 0.8)
            * smoothstep(fractal(rng, cells, 2, canvas), 0.2, 1.2)
        )
        density += deep[..., None] * VEIL
    return density.astype(np.float32)


def _pattern(rng: np.random.Generator, canvas: int) -> Array:
    """Return a pigment network (ridges), globules (dots) or neither, (canvas, canvas)."""
    kind = rng.choice(["network", "globules", "plain"], p=[0.4, 0.3, 0.3])
    if kind == "network":
        ridges = 1 - 2.5 * np.abs(field(rng, int(rng.integers(24, 44)), canvas))
        return rng.uniform(0.2, 0.6) * np.maximum(ridges, -1)
    if kind == "globules":
        return rng.uniform(0.5, 1.2) * smoothstep(
            field(rng, int(rng.integers(20, 50)), canvas), 1.0, 1.8
        )
    return np.zeros((canvas, canvas), np.float32)
