"""What a dermoscope adds to a picture of skin: hairs, rulers, stickers, ink, bubbles, vignette."""

import numpy as np

from robustseg.data.synthetic.texture import Array, grid, smoothstep, strokes


def overlay(rng: np.random.Generator, picture: Array, fraction: float) -> Array:
    """Return the picture with random artefacts over it.

    Args:
        rng: Generator of this picture.
        picture: (canvas, canvas, 3) in [0, 255].
        fraction: Share of the frame covered by the lesion; rulers come with small lesions.
    """
    canvas = len(picture)
    if rng.random() < 0.45:
        picture = _hairs(rng, picture, canvas)
    if fraction < 0.3 and rng.random() < 0.25:
        picture = _ruler(rng, picture, canvas)
    return picture * _vignette(rng, canvas)[..., None]


def _paint(picture: Array, coverage: Array, colour: Array) -> Array:
    """Blend a colour (3,) over the picture where the coverage (canvas, canvas) is 1."""
    return picture + coverage[..., None] * (colour.astype(np.float32) - picture)


def _hairs(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    lines = []
    for _ in range(int(rng.geometric(0.09))):
        start, heading = rng.uniform(-0.2, 1.2, 2), rng.uniform(0, 2 * np.pi)
        turn, length = rng.normal(0, 1.0), rng.uniform(0.2, 1.1)
        angle = heading + turn * np.linspace(0, 1, 24)
        step = np.stack([np.cos(angle), np.sin(angle)], 1) * (length / 24)
        lines.append(start + np.cumsum(step, 0))
    coverage = strokes(lines, rng.uniform(0.004, 0.010), canvas) * rng.uniform(0.5, 0.95)
    colour = np.array([60, 40, 30]) * rng.uniform(0.3, 1.6)
    return _paint(picture, coverage, colour)


def _ruler(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    angle, length = rng.normal(0, 0.12), rng.uniform(0.5, 0.8)
    start = np.array([rng.uniform(0.1, 0.3), rng.uniform(0.82, 0.95)])
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([np.sin(angle), -np.cos(angle)])
    ticks = np.linspace(0, length, int(rng.integers(10, 22)))
    lines = [np.stack([start, start + length * along])]
    for number, offset in enumerate(ticks):
        foot = start + offset * along
        lines.append(np.stack([foot, foot + across * (0.04 if number % 5 == 0 else 0.022)]))
    return _paint(picture, 0.85 * strokes(lines, 0.005, canvas), np.array([50, 30, 30]))


def _vignette(rng: np.random.Generator, canvas: int) -> Array:
    x, y = grid(canvas)
    tilt = rng.normal(0, 0.08, 2).astype(np.float32)
    light = 1 + tilt[0] * (x - 0.5) + tilt[1] * (y - 0.5)
    strength = rng.exponential(0.15)
    distance = np.hypot(x - rng.normal(0.5, 0.05), y - rng.normal(0.5, 0.05))
    return light * (1 - min(strength, 0.6) * smoothstep(distance, 0.3, 0.85))
