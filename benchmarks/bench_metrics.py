"""Time our metrics against MONAI's and torchmetrics', side by side in one run.

    python benchmarks/bench_metrics.py [--out metrics.csv]

Every row is one operation done twice: by us and by a peer, on the same data, in turns. A time is
the smallest of several repeats, in milliseconds; the ratio is the peer's time over ours.
"""

import warnings
from functools import partial

import harness
import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy.ndimage import gaussian_filter
from torchmetrics import Metric
from torchmetrics.classification import (
    BinaryAveragePrecision,
    BinaryCalibrationError,
    BinaryStatScores,
)

from robustseg.metrics import (
    AveragePrecision,
    ExpectedCalibrationError,
    SegmentationMetrics,
    hd95,
)

SIDE, BATCH, PAIRS = 256, 16, 8
COLUMNS = {
    "operation": ("operation", ""),
    "peer": ("peer", ""),
    "ours_ms": ("ours, ms", ".2f"),
    "peer_ms": ("peer, ms", ".2f"),
    "ratio": ("peer / ours", ".2f"),
}


def blobs(rng: np.random.Generator) -> np.ndarray:
    """Draw two masks of a fifth of the frame with smooth outlines."""
    fields = gaussian_filter(rng.normal(size=(2, SIDE, SIDE)), (0, 20, 20))
    return fields > np.quantile(fields, 0.8)


def discs(rng: np.random.Generator) -> np.ndarray:
    """Draw two discs about the centre: a lesion and its prediction."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centres, radii = rng.normal(SIDE / 2, 6, size=(2, 2, 1, 1)), rng.normal(50, 4, size=2)
    return np.stack([np.hypot(y - c[0], x - c[1]) < r for c, r in zip(centres, radii, strict=True)])


def speckle(rng: np.random.Generator) -> np.ndarray:
    """Draw two masks with three pixels in ten flipped."""
    return blobs(rng) ^ (rng.random((2, SIDE, SIDE)) < 0.3)


def distances(repeats: int) -> list[list]:
    """Time HD95 of one image against MONAI's percentile=95."""
    rows = []
    for draw in (discs, blobs, speckle):
        rng = np.random.default_rng(0)
        pairs = [draw(rng) for _ in range(PAIRS)]
        tensors = [torch.from_numpy(pair)[:, None, None] for pair in pairs]

        def ours(pairs: list = pairs) -> list[float]:
            return [hd95(pred, target, "none") for pred, target in pairs]

        def peer(tensors: list = tensors) -> list[float]:
            return [
                compute_hausdorff_distance(*pair, include_background=True, percentile=95).item()
                for pair in tensors
            ]

        np.testing.assert_allclose(ours(), peer(), atol=1e-4)
        per_image = [value / PAIRS for value in harness.shortest(repeats, ours, peer)]
        rows.append([f"hd95, {draw.__name__}", "MONAI", *per_image])
    return rows


def batches(repeats: int) -> list[list]:
    """Time update and compute on one batch against torchmetrics' exact counterpart."""
    torch.manual_seed(0)
    logits = 4 * torch.randn(BATCH, 1, SIDE, SIDE) - 4
    target = (torch.rand(BATCH, 1, SIDE, SIDE) < 0.1).to(torch.uint8)
    long = target.long()
    pairs = [
        (
            "per-image counts",
            SegmentationMetrics(),
            BinaryStatScores(multidim_average="samplewise", validate_args=False),
        ),
        (
            "average precision",
            AveragePrecision(),
            BinaryAveragePrecision(validate_args=False),
        ),
        (
            "calibration error",
            ExpectedCalibrationError(),
            BinaryCalibrationError(n_bins=15, validate_args=False),
        ),
    ]

    def measure(metric: Metric, target: torch.Tensor) -> None:
        metric.reset()
        metric.update(logits, target)
        metric.compute()

    rows = []
    for name, metric, peer in pairs:
        sides = (partial(measure, metric, target), partial(measure, peer, long))
        rows.append([name, "torchmetrics", *harness.shortest(repeats, *sides)])
    return rows


def main() -> None:
    """Print a Markdown table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="repeats per operation")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "(?s).*always_return_as_numpy", FutureWarning)  # MONAI's own
    rows = [
        [*row, row[3] / row[2]] for row in distances(options.repeats) + batches(options.repeats)
    ]
    print(f"hd95: one image of {SIDE}x{SIDE}; the others: update and compute on {BATCH} images;")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
