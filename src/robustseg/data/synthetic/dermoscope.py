"""What a dermoscope adds to a picture of skin: hairs, rulers, stickers, ink, bubbles, vignette."""

import cv2
import numpy as np

from robustseg.data.synthetic.texture import Array, field, grid, length, smoothstep, strokes

STICKERS = np.array([[240, 150, 40], [250, 110, 90], [90, 160, 220], [120, 190, 110]])
INK = np.array([110, 70, 170])


def overlay(rng: np.random.Generator, picture: Array, fraction: float) -> Array:
    """Return the picture with random artefacts over it.

    Args:
        rng: Generator of this picture.
        picture: (canvas, canvas, 3) in [0, 255].
        fraction: Share of the frame covered by the lesion; rulers come with small lesions.
    """
    canvas = len(picture)
    picture = picture * _light(rng, canvas)[..., None]
    if rng.random() < 0.08:
        picture = _ink(rng, picture, canvas)
    if rng.random() < 0.45:
        picture = _hairs(rng, picture, canvas)
    if rng.random() < 0.2:
        picture = _bubbles(rng, picture, canvas)
    if fraction < 0.3 and rng.random() < 0.3:
        picture = _ruler(rng, picture, canvas)
    if fraction < 0.3 and rng.random() < 0.08:
        picture = _sticker(rng, picture, canvas)
    return picture


def _paint(picture: Array, coverage: Array, colour: Array) -> Array:
    """Blend a colour (3,) over the picture where the coverage (canvas, canvas) is 1."""
    return picture + coverage[..., None] * (colour.astype(np.float32) - picture)


def _light(rng: np.random.Generator, canvas: int) -> Array:
    """Return uneven light with darker corners, (canvas, canvas), about 1 in the middle."""
    x, y = grid(canvas)
    slope_x, slope_y = rng.normal(0, 0.08, 2).tolist()
    centre_x, centre_y = rng.normal(0.5, 0.05, 2).tolist()
    corners = min(rng.exponential(0.12), 0.6)
    distance = length(x - centre_x, y - centre_y)
    slope = 1 + slope_x * (x - 0.5) + slope_y * (y - 0.5)
    return slope * (1 - corners * smoothstep(distance, 0.3, 0.8))


def _hairs(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    """Draw curved hairs of one colour, most of them in about one direction."""
    count = int(min(rng.geometric(0.1), 60))
    start = rng.uniform(-0.2, 1.2, (count, 1, 2))
    heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, rng.uniform(0.2, 2), (count, 1))
    angle = heading + rng.normal(0, 0.9, (count, 1)) * np.linspace(0, 1, 20)
    angle += rng.normal(0, 0.6, (count, 1)) * np.linspace(0, 1, 20) ** 2
    step = np.stack([np.cos(angle), np.sin(angle)], -1) * rng.uniform(0.01, 0.06, (count, 1, 1))
    lines = list(start + np.cumsum(step, 1))
    width = rng.uniform(0.003, 0.0075)
    coverage = strokes(lines, width, canvas) * rng.uniform(0.4, 0.95)
    pale = rng.random() < 0.1
    colour = np.array([60, 42, 34]) * rng.uniform(0.3, 1.7)
    return _paint(picture, coverage, np.array([225, 215, 205]) if pale else colour)


def _ruler(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    """Draw a line with ticks and a small label at its end, or the ticks of a scale at the edge."""
    angle, length = rng.normal(0, 0.15), rng.uniform(0.5, 0.75)
    start = np.array([rng.uniform(0.1, 0.3), rng.uniform(0.80, 0.94)])
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([np.sin(angle), -np.cos(angle)])
    lines = [np.stack([start, start + length * along])]
    for number, offset in enumerate(np.linspace(0, length, int(rng.integers(12, 20)))):
        foot = start + offset * along
        lines.append(np.stack([foot, foot + across * (0.035 if number % 5 == 0 else 0.02)]))
    for shift in (0.0, 0.028):  # two letters M
        letter = np.array([[0, 0], [0, 1], [0.5, 0.3], [1, 1], [1, 0]]) * 0.02
        lines.append(start - 0.035 * across + shift * along + letter @ np.stack([along, across]))
    coverage = rng.uniform(0.6, 0.9) * strokes(lines, 0.005, canvas)
    return _paint(picture, coverage, np.array([50, 30, 30]))


def _sticker(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    """Lay a coloured round sticker over an edge of the frame."""
    x, y = grid(canvas)
    side, radius = rng.choice([-1.0, 1.0]), rng.uniform(0.2, 0.3)
    centre_x, centre_y = 0.5 + side * rng.uniform(0.62, 0.72), rng.uniform(0.1, 0.9)
    cover = smoothstep(radius - length(x - float(centre_x), y - centre_y), -0.004, 0.004)
    fibres = 1 + 0.08 * field(rng, 90, canvas)[..., None]
    return _paint(picture, cover, STICKERS[rng.integers(len(STICKERS))]) * np.where(
        cover[..., None] > 0.5, fibres, 1
    )


def _ink(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    """Dab the violet marks with which the skin around a lesion is labelled."""
    x, y = grid(canvas)
    cover = np.zeros((canvas, canvas), np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    for angle in turn + np.arange(int(rng.integers(1, 5))) * 1.3:
        centre_x, centre_y = 0.5 + 0.42 * np.cos(angle), 0.5 + 0.42 * np.sin(angle)
        distance = length(x - float(centre_x), y - float(centre_y))
        cover = np.maximum(cover, smoothstep(-distance, -rng.uniform(0.04, 0.09), -0.02))
    speckle = smoothstep(field(rng, 64, canvas), -0.2, 0.8)
    return _paint(picture, rng.uniform(0.4, 0.9) * cover * speckle, INK)


def _bubbles(rng: np.random.Generator, picture: Array, canvas: int) -> Array:
    """Draw bubbles in the gel: thin bright rings with a glint."""
    rings = np.zeros((canvas, canvas), np.uint8)
    for _ in range(int(rng.integers(1, 9))):
        x, y = (rng.uniform(0, 1, 2) * canvas * 16).astype(int).tolist()
        radius = rng.uniform(0.006, 0.03) * canvas
        cv2.circle(rings, (x, y), int(16 * radius), 110, 1, cv2.LINE_AA, 4)
        glint = (x - int(8 * radius), y - int(8 * radius))
        cv2.circle(rings, glint, max(8, int(3 * radius)), 255, -1, cv2.LINE_AA, 4)
    return _paint(picture, rings / np.float32(300), np.array([250, 250, 250]))
