"""Dermoscopic pictures of one pigmented lesion on skin, with the artefacts of the real ones.

Sizes, colours and contrasts follow the training images of ISIC 2017 (Codella et al. 2017,
arXiv:1710.05006) as 256 × 256 centre crops. Colours are mixed as optical densities, -log of the
light that comes back, because layers of pigment add there.
"""

import math

import numpy as np

from robustseg.data.synthetic import dermoscope
from robustseg.data.synthetic.cells import honeycomb
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

# Share of the frame covered by the lesion: quantiles over ISIC 2017, the two ends cut.
QUANTILES = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
FRACTIONS = (0.008, 0.022, 0.037, 0.075, 0.181, 0.387, 0.614, 0.751, 0.95)

# Density of skin in red, green and blue over ISIC 2017: mean and Cholesky factor of the covariance.
SKIN = np.array([0.29, 0.45, 0.53])
SKIN_SPREAD = np.array([[0.145, 0.0, 0.0], [0.135, 0.11, 0.0], [0.13, 0.16, 0.06]])

# Density per unit of pigment, red, green, blue.
MELANIN = np.array([0.40, 1.0, 1.40])
BLOOD = np.array([0.08, 1.0, 0.75])
VEIL = np.array([1.20, 1.0, 0.60])  # melanin deep in the skin looks blue


def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one picture.

    Args:
        rng: Generator in the state that belongs to this picture.
        size: Side of the picture in pixels.

    Returns:
        Image (size, size, 3) uint8 RGB and mask (size, size) uint8 with 1 inside the lesion's
        outline.
    """
    canvas = canvas_side(size)
    fraction = float(np.interp(rng.random(), QUANTILES, FRACTIONS))
    inside = _outline(rng, fraction, canvas)
    density = _skin(rng, canvas) + _lesion(rng, inside, fraction, canvas)
    picture = dermoscope.overlay(rng, 255 * np.exp(-density), fraction)
    grain = rng.uniform(0.3, 2.0) * rng.standard_normal((size, size, 1), dtype=np.float32)
    image = np.clip(shrink(picture, size) + grain, 0, 255).astype(np.uint8)
    return image, (shrink(inside, size) > 0).astype(np.uint8)


def _outline(rng: np.random.Generator, fraction: float, canvas: int) -> Array:
    """Return 1 - ρ/R(θ): 1 at the lesion's centre, 0 on its outline, negative outside.

    R is a Fourier series over a crumpled plane, so the lesion is one piece without holes; its
    scale is chosen such that it covers ``fraction`` of the frame.
    """
    x, y = grid(canvas)
    centre_x, centre_y = np.clip(rng.normal((0.487, 0.501), 0.068), 0.25, 0.75).tolist()
    dx, dy = x - centre_x, y - centre_y
    # Shifts so small beside a cell do not fold the plane.
    ragged = rng.uniform(0.02, 0.10)
    for cells in (5, 12, 30, 64):
        dx = dx + ragged / cells * field(rng, cells, canvas)
        dy = dy + ragged / cells * field(rng, cells, canvas)
    turn, aspect = rng.uniform(0, math.pi), rng.uniform(0.55, 1.0)
    along = (math.cos(turn) * dx + math.sin(turn) * dy) * math.sqrt(aspect)
    across = (math.cos(turn) * dy - math.sin(turn) * dx) / math.sqrt(aspect)
    distance = length(along, across) / _lobes(rng, np.arctan2(across, along))
    return 1 - distance / np.float32(np.quantile(distance[::4, ::4], fraction))


def _lobes(rng: np.random.Generator, angle: Array) -> Array:
    """Return R(θ) = exp(random harmonics that fall off quickly)."""
    order = np.arange(2, 12)[:, None]
    amplitude = rng.uniform(0.03, 0.26) * (order / 2) ** -1.8 * rng.standard_normal(order.shape)
    phase = rng.uniform(0, 2 * math.pi, order.shape)
    turn = np.linspace(-math.pi, math.pi, 361)
    harmonics = (amplitude * np.cos(order * turn + phase)).sum(0)
    return np.interp(angle, turn, np.exp(harmonics)).astype(np.float32)


def _skin(rng: np.random.Generator, canvas: int) -> Array:
    """Return the optical density of the skin, (canvas, canvas, 3)."""
    tone = np.clip(SKIN + SKIN_SPREAD @ rng.standard_normal(3), 0.0, 1.3)
    tone = np.maximum(tone, tone[0] + np.array([0, 0.04, 0.04]))  # skin is never green
    melanin = rng.uniform(0.01, 0.05) * fractal(rng, 3, 5, canvas)
    melanin += rng.uniform(0.006, 0.03) * field(rng, (120, 90), canvas)
    blood = rng.uniform(0.005, 0.05) * fractal(rng, 5, 5, canvas)
    if rng.random() < 0.5:
        vessels = smoothstep(field(rng, 6, canvas), 0.2, 1.5) * ridges(rng, 14, 0.25, canvas)
        blood += rng.uniform(0.05, 0.25) * vessels
    if rng.random() < 0.35:
        freckles = smoothstep(fractal(rng, int(rng.integers(8, 24)), 2, canvas), 1.2, 2.6)
        melanin += rng.uniform(0.05, 0.4) * freckles
    return mix([melanin, blood], [MELANIN, BLOOD]) + tone.astype(np.float32)


def _lesion(rng: np.random.Generator, inside: Array, fraction: float, canvas: int) -> Array:
    """Return the optical density that the lesion adds to the skin, (canvas, canvas, 3)."""
    strength = float(np.clip(rng.lognormal(math.log(0.56), 0.68), 0.09, 2.2))
    cells = int(np.clip(2.5 / math.sqrt(fraction), 3, 16))
    clumps = fractal(rng, cells, 5, canvas)
    border = rng.uniform(0.02, 0.5)
    cover = smoothstep(inside + 0.5 * border * rng.random() * clumps, 0, border)
    cover *= smoothstep(inside, -0.06, 0.04)
    core = smoothstep(inside + rng.uniform(0.0, 0.4) * field(rng, cells, canvas), 0.1, 0.9)
    amount = rng.uniform(0.2, 0.6) * clumps + rng.uniform(-0.3, 1.2) * core
    amount += _pattern(rng, canvas)
    bleached = rng.uniform(0, 0.8) * smoothstep(fractal(rng, cells, 2, canvas), 0.6, 1.6)
    pigment = strength * cover * np.exp(amount - 0.3) * (1 - bleached)
    red = float(np.clip(rng.normal(0.38 + 0.12 * math.log(strength / 0.4), 0.12), 0.05, 1.0))
    blue = float(np.clip(rng.normal(1.65 - 0.6 * red, 0.2), 0.8, 2.2))
    deep = pigment * smoothstep(fractal(rng, cells, 2, canvas), 0.3, 1.5)
    veil = rng.uniform(0.2, 0.9) if rng.random() < 0.3 else 0.0
    return mix([pigment - veil * deep, veil * deep], [np.array([red, 1.0, blue]), VEIL])


def _pattern(rng: np.random.Generator, canvas: int) -> Array:
    """Return log-pigment of a network (mesh), globules (dots) or neither, (canvas, canvas)."""
    kind = rng.choice(["network", "globules", "plain"], p=[0.4, 0.3, 0.3])
    if kind == "network":  # brown lines around pale holes
        x, y = grid(canvas)
        holes, bend = rng.uniform(26, 50), rng.uniform(0.1, 0.35)
        u = x * holes + bend * field(rng, 20, canvas)
        v = y * holes + bend * field(rng, 20, canvas)
        comb = honeycomb(rng, u, v, 0.2)
        mesh = smoothstep(length(comb.across, comb.down), rng.uniform(0.1, 0.3), 0.6)
        return rng.uniform(0.2, 0.9) * (mesh - 0.5)
    if kind == "globules":
        dots = smoothstep(field(rng, int(rng.integers(24, 56)), canvas), 0.9, 1.8)
        return rng.uniform(-0.4, 1.0) * dots
    return np.zeros((canvas, canvas), np.float32)
