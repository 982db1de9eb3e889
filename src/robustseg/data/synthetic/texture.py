"""Random textures on a square canvas, drawn from a few numbers.

Every texture starts from a coarse grid of normal numbers whose size does not depend on the canvas,
so one generator state gives the same picture at every canvas size, only finer or coarser.
"""

from functools import lru_cache

import cv2
import numpy as np

Array = np.ndarray

NOTHING = np.empty(0, np.float32)  # no third matrix in a product


def canvas_side(size: int) -> int:
    """Return the side to draw at for pictures of ``size`` pixels: twice that for small ones."""
    return 2 * size if size <= 128 else size


def field(rng: np.random.Generator, cells: int | tuple[int, int], canvas: int) -> Array:
    """Return smooth noise, about zero mean and unit variance, (canvas, canvas) float32.

    Args:
        rng: Source of the normal numbers on the coarse grid that is interpolated.
        cells: Grid cells down and across, or both in one; a bump is about one cell wide.
        canvas: Side of the result in pixels.
    """
    down, across = (cells, cells) if isinstance(cells, int) else cells
    coarse = rng.standard_normal((down, across), dtype=np.float32)
    if max(down, across) > 24:
        return cv2.resize(coarse, (canvas, canvas), interpolation=cv2.INTER_CUBIC)
    # The same, several times as fast for few cells. OpenCV's product, not NumPy's: the threads of
    # a BLAS cost more here than they save.
    rows = cv2.gemm(_cubic(down, canvas), coarse, 1.0, NOTHING, 0.0)
    return cv2.gemm(rows, _cubic(across, canvas), 1.0, NOTHING, 0.0, flags=cv2.GEMM_2_T)


@lru_cache(maxsize=256)
def _cubic(cells: int, canvas: int) -> Array:
    """Return the matrix (canvas, cells) of cubic interpolation along one axis."""
    unit = np.eye(cells, dtype=np.float32)
    return cv2.resize(unit, (cells, canvas), interpolation=cv2.INTER_CUBIC)


def length(across: Array, down: Array) -> Array:
    """Return √(across² + down²); np.hypot guards against overflow and takes ten times as long."""
    return np.sqrt(across * across + down * down)


def fractal(rng: np.random.Generator, cells: int, octaves: int, canvas: int) -> Array:
    """Return noise with ``octaves`` scales, each half as wide and 0.6 as strong as the one before.

    The sum is scaled to about unit variance; (canvas, canvas) float32.
    """
    total = np.zeros((canvas, canvas), np.float32)
    for octave in range(octaves):
        total += 0.6**octave * field(rng, cells * 2**octave, canvas)
    return total / np.float32(sum(0.36**octave for octave in range(octaves)) ** 0.5)


def ridges(rng: np.random.Generator, cells: int, width: float, canvas: int) -> Array:
    """Return a mesh of lines in [0, 1] along the zeros of smooth noise, (canvas, canvas) float32.

    Args:
        rng: Source of the noise.
        cells: Meshes along a side, about.
        width: Width of a line as a share of a mesh, about.
        canvas: Side of the result in pixels.
    """
    return np.maximum(1 - np.abs(field(rng, cells, canvas)) / width, 0)


def smoothstep(value: Array, low: float | Array, high: float | Array) -> Array:
    """Return 0 at ``low`` and before, 1 at ``high`` and beyond, and 3t² - 2t³ between them.

    It falls where ``high`` is the smaller of the two.
    """
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(layers: list[Array], colours: list[Array]) -> Array:
    """Return the sum of layers (canvas, canvas) times colours (3,): (canvas, canvas, 3) float32."""
    stack = np.stack(layers, -1, dtype=np.float32, casting="same_kind")
    return stack @ np.array(colours, np.float32)


def grid(canvas: int) -> tuple[Array, Array]:
    """Return x (1, canvas) and y (canvas, 1) of the pixel centres, in [0, 1], float32."""
    line = ((np.arange(canvas) + 0.5) / canvas).astype(np.float32)
    return line[None, :], line[:, None]


def strokes(lines: list[Array], width: float, canvas: int) -> Array:
    """Return the coverage in [0, 1] of polylines drawn with one pen, (canvas, canvas) float32.

    Args:
        lines: Polylines, each (n, 2) of x and y in [0, 1].
        width: Pen width as a share of the side. Below a pixel the line fades in place of thinning.
        canvas: Side of the result in pixels.
    """
    coverage = np.zeros((canvas, canvas), np.uint8)
    pixels = width * canvas
    # The last four bits of the coordinates are a sixteenth of a pixel.
    points = [np.round((line * canvas - 0.5) * 16).astype(np.int32) for line in lines]
    cv2.polylines(coverage, points, False, 255, max(1, round(pixels)), cv2.LINE_AA, 4)
    return coverage * np.float32(min(1.0, pixels) / 255)


def shrink(picture: Array, size: int) -> Array:
    """Return the picture averaged down to (size, size) pixels."""
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
