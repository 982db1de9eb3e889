"""Chest X-rays, front view: two lungs among ribs, heart, diaphragm, collarbones and spine.

Shapes, sizes and grey values follow the Shenzhen films (Jaeger et al. 2014). Tissue adds optical
depth d along the ray, and the film shows 1 - exp(-d): bones fade where the body is dense already.
"""

import cv2
import numpy as np

from robustseg.data.synthetic.texture import (
    Array,
    canvas_side,
    field,
    fractal,
    grid,
    length,
    shrink,
    smoothstep,
    strokes,
)
from robustseg.data.synthetic.thorax import Build, bones, tissue

# Edges of a lung: distance from the midline at heights from the apex (0) to the base (1).
HEIGHT = (-0.02, 0.0, 0.015, 0.05, 0.12, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.4)
OUTER = (0.09, 0.13, 0.185, 0.222, 0.260, 0.297, 0.325, 0.343, 0.357, 0.367, 0.375, 0.39)
INNER = {
    -1: (0.17, 0.13, 0.092, 0.078, 0.070, 0.066, 0.070, 0.082, 0.090, 0.088, 0.080, 0.08),
    1: (0.17, 0.13, 0.092, 0.078, 0.070, 0.078, 0.074, 0.098, 0.140, 0.170, 0.180, 0.18),
}
LETTERS = {
    "L": np.array([[0, 0], [0, 2], [1, 2]]),
    "R": np.array([[0, 2], [0, 0], [0.8, 0], [1, 0.5], [0.8, 1], [0, 1], [1, 2]]),
}


def draw(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one film.

    Args:
        rng: Generator in the state that belongs to this film.
        size: Side of the film in pixels.

    Returns:
        Image (size, size, 1) uint8 and mask (size, size) uint8 with 1 inside both lungs.
    """
    build = _build(rng, canvas_side(size))
    lungs = np.maximum(_lung(rng, -1, build), _lung(rng, 1, build))
    return _exposed(rng, build, lungs, size), (shrink(lungs, size) > 0).astype(np.uint8)


def draw_classes(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one film whose heart has an edge in the lungs, and its label map.

    Args:
        rng: Generator in the state that belongs to this film.
        size: Side of the film in pixels.

    Returns:
        Image (size, size, 1) uint8 and labels (size, size) uint8: 1 left lung, 2 right lung, 3
        heart. Sides are the patient's: the left lung is on the right of the image.
    """
    build = _build(rng, canvas_side(size))
    right, left = _lung(rng, -1, build), _lung(rng, 1, build)
    shape, heart = _heart(rng, build)
    left, right = np.minimum(left, -heart), np.minimum(right, -heart)
    image = _exposed(rng, build, np.maximum(left, right), size, shape)
    labels = np.zeros((size, size), np.uint8)
    for value, level in enumerate((left, right, heart), start=1):
        labels[shrink(level, size) > 0] = value
    return image, labels


def _exposed(
    rng: np.random.Generator, build: Build, lungs: Array, size: int, heart: Array | None = None
) -> Array:
    """Return the film (size, size, 1) of a body whose lungs are where their level is positive."""
    air = smoothstep(lungs, -0.003, rng.uniform(0.006, 0.014))
    # Lungs are thin near their edges, and hold more blood near the hila and the base.
    share = rng.uniform(0.55, 0.78) * (0.72 + 0.28 * smoothstep(lungs, 0, 0.07))
    share -= rng.uniform(0.0, 0.25) * np.exp(-((build.out - 0.08) ** 2) / 0.003)
    share -= rng.uniform(0.0, 0.15) * smoothstep(build.y, build.base - 0.25, build.base)
    depth = tissue(rng, build, heart) * (1 - share * air) + bones(rng, build)
    depth += air * (_vessels(rng, build) + _opacities(rng, build))
    picture = _film(rng, depth)
    grain = rng.uniform(0.5, 2.0) * rng.standard_normal((size, size), dtype=np.float32)
    image = np.clip(shrink(picture, size) + grain, 0, 255).astype(np.uint8)
    return image[..., None]


def _build(rng: np.random.Generator, canvas: int) -> Build:
    """Draw where the chest lies: a little off the middle, tilted, wider or narrower."""
    x, y = grid(canvas)
    middle = rng.normal(0.492, 0.02) + rng.normal(0, 0.025) * (y - 0.5)
    top, base = rng.normal(0.145, 0.04), rng.normal(0.640, 0.06)
    return Build(x - middle, y, max(top, 0.04), min(base, 0.78), rng.normal(1.02, 0.06))


def _lung(rng: np.random.Generator, side: int, build: Build) -> Array:
    """Return about the distance to the edge of one lung, positive inside, (canvas, canvas)."""
    apex = build.top + rng.normal(0, 0.01)
    floor = build.base + 0.010 * side + rng.normal(0, 0.015)
    height = (build.y - apex) / (floor + 0.10 - apex)
    canvas = len(height)
    ragged = rng.uniform(0.001, 0.005)
    outer = _edge(OUTER, height) * build.scale * rng.normal(1, 0.02)
    outer = outer + ragged * field(rng, (18, 1), canvas)[:, :1]
    inner = _edge(INNER[side], height) + ragged * field(rng, (18, 1), canvas)[:, :1]
    inner = inner + rng.normal(0, 0.02) * smoothstep(height, 0.35, 0.8) + rng.normal(0, 0.006)
    out = side * build.side
    flank = np.maximum(out / (0.37 * build.scale) - rng.uniform(0.35, 0.55), 0)
    dome = floor + rng.uniform(0.15, 0.45) * flank**1.7 + 0.8 * (out - 0.17) ** 2
    side_edges = np.minimum(out - inner, outer - out)
    level = np.minimum(_rounded_minimum(side_edges, dome - build.y, 0.025), build.y - apex)
    return level.astype(np.float32)


def _heart(rng: np.random.Generator, build: Build) -> tuple[Array, Array]:
    """Return a heart, 1 at its edge and less inside, and about the distance to its edge.

    It is an oval whose lower end, the apex, points to the patient's left.
    """
    wide, narrow = rng.normal(0.168, 0.012), rng.normal(0.122, 0.008)
    angle = rng.normal(0.65, 0.12)
    across = build.side - rng.normal(0.045, 0.008)
    down = build.y - build.base + rng.normal(0.095, 0.012)
    along = (np.cos(angle) * across + np.sin(angle) * down) / wide
    aside = (np.cos(angle) * down - np.sin(angle) * across) / narrow
    shape = length(along, aside * (1 + 0.18 * along))  # the apex is the pointed end
    return shape, ((1 - shape) * narrow).astype(np.float32)


def _rounded_minimum(a: Array, b: Array, width: float) -> Array:
    """Return about min(a, b), smaller by up to width/4 where they meet: it rounds the corners."""
    share = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * share - width * share * (1 - share)


def _edge(distances: tuple[float, ...], height: Array) -> Array:
    """Return the distance of an edge at each height, with the corners of its polygon rounded."""
    fine = np.linspace(-0.1, 1.4, 301)
    window = np.hanning(19)
    line = np.interp(np.linspace(-0.15, 1.45, 301 + 2 * 10), HEIGHT, distances)
    smooth = np.convolve(line, window / window.sum(), "same")[10:-10]
    return np.interp(height, fine, smooth)


def _vessels(rng: np.random.Generator, build: Build) -> Array:
    """Return the depth of lung vessels that branch from the two hila, (canvas, canvas)."""
    canvas = len(build.y)
    hilum = build.top + 0.5 * (build.base - build.top)
    middle = -float(build.side[int(hilum * canvas), 0])
    total = np.zeros((canvas, canvas), np.float32)
    for width, count, reach in ((0.012, 5, 0.10), (0.007, 9, 0.17), (0.004, 18, 0.22)):
        heading = rng.uniform(-1.4, 1.5, (2, count, 1)) * [[[1]], [[1]]]
        angle = heading + rng.normal(0, 0.8, (2, count, 1)) * np.linspace(0, 1, 10)
        step = np.stack([np.cos(angle) * [[[-1]], [[1]]], np.sin(angle)], -1) * reach / 10
        start = rng.normal(0, 1, (2, count, 1, 2)) * (0.02 + 0.25 * (0.012 - width) * 20)
        start += np.array([[[[middle - 0.09, hilum]]], [[[middle + 0.09, hilum]]]])
        total += strokes(list((start + np.cumsum(step, 2)).reshape(-1, 10, 2)), width, canvas)
    return rng.uniform(0.06, 0.18) * cv2.GaussianBlur(total, (0, 0), 0.004 * canvas)


def _opacities(rng: np.random.Generator, build: Build) -> Array:
    """Return the depth of haze and of patchy infiltrates, which hide parts of some lungs."""
    canvas = len(build.y)
    haze = rng.uniform(0.01, 0.05) * fractal(rng, 8, 5, canvas)
    if rng.random() < 0.5:
        patchy = np.maximum(0.6 + 0.5 * fractal(rng, 10, 4, canvas), 0)
        for _ in range(int(rng.integers(1, 4))):
            across = build.side - float(rng.choice([-1, 1])) * rng.uniform(0.1, 0.32)
            down, radius = build.y - rng.uniform(build.top, build.base), rng.uniform(0.04, 0.14)
            spot = np.exp(-(across**2 + down**2) / radius**2)
            haze += rng.uniform(0.15, 0.8) * spot * patchy
    return haze


def _film(rng: np.random.Generator, depth: Array) -> Array:
    """Return grey values in [0, 255]: the film's response, its letter and its dark border."""
    canvas = len(depth)
    x, y = grid(canvas)
    depth = rng.normal(1.0, 0.1) * np.maximum(depth, 0) + rng.uniform(0.03, 0.15)
    picture = 255 * (1 - np.exp(-depth))
    # Digital films are sharpened: details stand out from their surroundings.
    smooth = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.012, 0.03) * canvas)
    picture += rng.uniform(0.2, 0.8) * (picture - smooth)
    left, right, upper, lower = rng.exponential((0.002, 0.002, 0.002, 0.01)).tolist()
    frame = (x > left) & (x < 1 - right) & (y > upper) & (y < 1 - lower)
    picture = np.where(frame, picture, 8)
    corner = np.array([rng.choice([0.15, 0.82]), 0.02]) + rng.uniform(0, 0.06, 2)
    letter = LETTERS["R" if corner[0] < 0.5 else "L"]
    mark = strokes([corner + 0.018 * letter], 0.005, canvas)
    return (picture + mark * (250 - picture)).astype(np.float32)
