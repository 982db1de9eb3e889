"""Time dilation and erosion through one distance transform against stepping, side by side.

    python benchmarks/bench_noise.py [--out noise.csv]

Stepping is the definition and what the public T-Loss code does: one 4-neighbour step at a time
(`scipy.ndimage.binary_dilation`) until the area has passed (1 ± β) times the clean one, then the
nearer of the last two masks. Both get the same mask, in turns; the results are checked to be
identical. A time is the smallest of several repeats, in milliseconds; the ratio is stepping's over
ours.
"""

import harness
import numpy as np
from scipy import ndimage

from robustseg.noise.morphological import resize

SHAPES = ((128, 128), (256, 256), (512, 512), (1536, 2048))
COLUMNS = {
    "operation": ("operation", ""),
    "height": ("height", "d"),
    "width": ("width", "d"),
    "beta": ("beta", "g"),
    "steps": ("steps", "d"),
    "ours_ms": ("ours, ms", ".2f"),
    "stepping_ms": ("stepping, ms", ".2f"),
    "ratio": ("stepping / ours", ".1f"),
}


def lesion(height: int, width: int) -> np.ndarray:
    """Draw a smooth blob of a fifth of the frame, away from its border."""
    y, x = np.mgrid[:height, :width] / min(height, width)
    y, x = y - y.max() / 2, x - x.max() / 2
    angle = np.arctan2(y, x)
    outline = (
        0.25 * np.sqrt(width / height) * (1 + 0.12 * np.sin(3 * angle) + 0.05 * np.cos(7 * angle))
    )
    return (np.hypot(y, x) < outline).astype(np.uint8)


def stepping(mask: np.ndarray, beta: float, kind: str) -> tuple[np.ndarray, int]:
    """Return the mask nearest to the wanted area and the number of steps, by the definition."""
    grow = kind == "dilate"
    target = mask.sum() * (1 + beta if grow else 1 - beta)
    before = after = mask.astype(bool)
    steps = 0
    while (after.sum() < target) if grow else (after.sum() > target):
        before = after
        after = ndimage.binary_dilation(before) if grow else ndimage.binary_erosion(before)
        steps += 1
    if abs(before.sum() - target) < abs(after.sum() - target):
        after = before
    return after.astype(np.uint8), steps


def compare(shape: tuple[int, int], kind: str, beta: float, repeats: int) -> list:
    """Return one row of the table."""
    mask = lesion(*shape)
    expected, steps = stepping(mask, beta, kind)
    np.testing.assert_array_equal(resize(mask, beta, kind).mask, expected)
    ours, peer = harness.shortest(
        repeats, lambda: resize(mask, beta, kind), lambda: stepping(mask, beta, kind)
    )
    return [kind, *shape, beta, steps, ours, peer, peer / ours]


def main() -> None:
    """Print a Markdown table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="repeats per operation")
    parser.add_argument("--beta", type=float, default=0.5, help="the error asked for, default 0.5")
    options = parser.parse_args()
    rows = []
    for shape in SHAPES:
        repeats = options.repeats if max(shape) < 1000 else min(2, options.repeats)
        rows += [compare(shape, kind, options.beta, repeats) for kind in ("dilate", "erode")]
    print(f"beta {options.beta}, results identical, one thread\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
