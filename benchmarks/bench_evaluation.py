"""Evaluation of 200 images at 256×256 against a loop over torchmetrics and MONAI, image by image.

counts    `evaluate`: per image tp, fp, fn, tn, Dice and Jaccard;
          the loop: BinaryStatScores, BinaryF1Score and BinaryJaccardIndex for each image
pooled    `evaluate_fully`: the same, and average precision and calibration error over all pixels;
          the loop: BinaryAveragePrecision and BinaryCalibrationError (15 bins) beside the others
hd95      `evaluate_fully` with HD95; the loop: MONAI's compute_hausdorff_distance, percentile=95
network   hd95 with `nnunet_tiny`, 32 bits, batches of 32 on both sides, before the metrics

But in the last, the network is a view of the image's first channel, in which a prediction is drawn,
so that metrics alone are timed. The numbers of both sides are checked to agree within 1e-4, counts
within two pixels an image, and those over all pixels within 1e-3: our average precision is binned,
and torchmetrics sums calibration in float32. Turns alternate; a ratio is taken within a turn, and
the median counts.

    python benchmarks/bench_evaluation.py [--parts counts pooled hd95 network]
                        [--images 200] [--side 256] [--turns 5] [--out FILE.csv]
"""

import math
import time
import warnings

import harness
import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torchmetrics.classification import (
    BinaryAveragePrecision,
    BinaryCalibrationError,
    BinaryF1Score,
    BinaryJaccardIndex,
    BinaryStatScores,
)

from robustseg.data.synthetic import Synthetic
from robustseg.metrics.evaluation import evaluate, evaluate_fully
from robustseg.models.normalisation import normalise
from robustseg.models.plain_unet import PlainUNet

COLUMNS = {
    "what": ("numbers", ""),
    "ours_ms": ("ours, ms", ".2f"),
    "peer": ("peer", ""),
    "peer_ms": ("peer, ms", ".2f"),
    "ratio": ("peer / ours", ".2f"),
    "low": ("from", ".2f"),
    "high": ("to", ".2f"),
}
PARTS = ("counts", "pooled", "hd95", "network")
BATCH = 32
Numbers = dict[str, np.ndarray]


class FirstChannel(nn.Module):
    """A network that costs nothing: its logits are the first channel of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(127.5))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1, H, W) in about [-8, 8] of uint8 images (B, H, W, C)."""
        return (images[..., :1].permute(0, 3, 1, 2).float() - self.shift) / 16


class Tiny(nn.Module):
    """`nnunet_tiny` on uint8 images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = PlainUNet(in_channels=3, features=[16, 32, 64, 128])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of uint8 images (B, H, W, C)."""
        return self.network(normalise(images))


def pictures(images: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn lesions with their masks; the first channel is a prediction with a soft, wrong edge."""
    source = Synthetic("dermoscopy", side, train=0, test=images)
    pairs = [source.read(record) for record in source.records()]
    pixels, masks = (np.stack(part) for part in zip(*pairs, strict=True))
    rng = np.random.default_rng(0)
    for image, mask in zip(pixels, masks, strict=True):
        shifted = np.roll(mask, rng.integers(-side // 32, side // 32 + 1, size=2), axis=(0, 1))
        soft = gaussian_filter(shifted.astype(np.float32), side / 64)
        noise = gaussian_filter(rng.normal(size=mask.shape), side / 32)
        image[..., 0] = np.clip(255 * soft + 12 * noise / noise.std(), 0, 255)
    return pixels, masks


def ours(part: str, module: nn.Module, images: np.ndarray, masks: np.ndarray) -> Numbers:
    """The numbers of one part by the program."""
    settings = {"batch_size": BATCH, "precision": "32-true"}
    if part == "counts":
        return evaluate(module, images, [masks], **settings)[0]
    distances = part in ("hd95", "network")
    rows, pooled = evaluate_fully(module, images, masks, hd95=distances, **settings)
    return rows | {name: np.array(value) for name, value in pooled.items()}


@torch.inference_mode()
def by_image(part: str, module: nn.Module, images: np.ndarray, masks: np.ndarray) -> Numbers:
    """The same numbers by a loop over images."""
    counts, dice, jaccard = BinaryStatScores(), BinaryF1Score(), BinaryJaccardIndex()
    precision, calibration = BinaryAveragePrecision(), BinaryCalibrationError(n_bins=15)
    names = ("tp", "fp", "tn", "fn", "dice", "jaccard")
    columns: dict[str, list] = {name: [] for name in names}
    columns |= {"hd95": []} if part in ("hd95", "network") else {}
    module.eval()
    for start in range(0, len(images), BATCH):
        probabilities = module(torch.from_numpy(images[start : start + BATCH])).sigmoid()
        targets = torch.from_numpy(masks[start : start + BATCH]).unsqueeze(1).long()
        for probability, target in zip(probabilities, targets, strict=True):
            for name, value in zip(
                names[:4], counts(probability, target).tolist()[:4], strict=True
            ):
                columns[name].append(value)
            columns["dice"].append(dice(probability, target).item())
            columns["jaccard"].append(jaccard(probability, target).item())
            if part != "counts":
                precision.update(probability, target)
                calibration.update(probability, target)
            if "hd95" in columns:
                distance = compute_hausdorff_distance(
                    (probability > 0.5)[None], target[None], include_background=True, percentile=95
                )
                columns["hd95"].append(distance.item() / math.hypot(*target.shape[1:]))
    numbers = {name: np.array(column) for name, column in columns.items()}
    if part != "counts":
        numbers["average_precision"] = precision.compute().numpy()
        numbers["calibration_error"] = calibration.compute().numpy()
    return numbers


def check(mine: Numbers, peers: Numbers) -> None:
    """Raise AssertionError unless the numbers of both sides agree.

    An image may differ by two pixels: a logit just above 0, which is foreground for us, has a
    float32 probability of 1/2, which is not for the loop. An untrained network has such ones.
    """
    tolerances = dict.fromkeys(("average_precision", "calibration_error"), 1e-3)
    tolerances |= dict.fromkeys(("tp", "fp", "tn", "fn"), 2)
    for name, values in peers.items():
        tolerance = tolerances.get(name, 1e-4)
        np.testing.assert_allclose(mine[name], values, atol=tolerance, err_msg=name)


def measure(part: str, images: np.ndarray, masks: np.ndarray, turns: int) -> tuple:
    """One row of the table; a first turn is checked and not timed."""
    module = Tiny() if part == "network" else FirstChannel()
    check(ours(part, module, images, masks), by_image(part, module, images, masks))
    times = []
    for _ in range(turns):
        seconds = []
        for side in (ours, by_image):
            begin = time.perf_counter()
            side(part, module, images, masks)
            seconds.append(time.perf_counter() - begin)
        times.append((*seconds, seconds[1] / seconds[0]))
    mine, peers, *ratios = harness.medians(*zip(*times, strict=True))
    each = [1e3 * seconds / len(images) for seconds in (mine, peers)]
    peer = "torchmetrics" if part in ("counts", "pooled") else "torchmetrics, MONAI"
    return part, each[0], peer, each[1], *ratios


def main() -> None:
    """Measure, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--side", type=int, default=256, help="size of images, pixels")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "(?s).*always_return_as_numpy", FutureWarning)  # MONAI's own
    images, masks = pictures(options.images, options.side)
    rows = [measure(part, images, masks, options.turns) for part in options.parts]
    print(f"{options.images} images of {options.side}×{options.side}, ms an image;")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
