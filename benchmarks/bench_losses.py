"""Time every loss, forward and backward, against cross-entropy and MONAI's and smp's counterpart.

    python benchmarks/bench_losses.py [--out losses.csv] [--classes 4] [--repeats 8]

One run times all of them in turns, on 16 × 1 × 256 × 256 float32 logits on a CPU, or with
`--classes 4` on 16 × 4 × 256 × 256; a turn is three passes, of which the first only brings memory
into the state a loop has. A time is the shortest of all passes, in milliseconds. "× CE" is our time
over that of torch's binary_cross_entropy_with_logits, or cross_entropy; "speed-up" is the peer's
time over ours. The peer of the T-Loss is the formula of its public code written plainly.
"""

import math
import time
import warnings
from collections.abc import Callable

import harness
import monai.losses
import torch
from torch import Tensor
from torch.nn import functional

from robustseg import losses

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # smp's advice about its encoders
    import segmentation_models_pytorch as smp

Loss = Callable[[Tensor, Tensor], Tensor]
BATCH, SIDE = 16, 256
COLUMNS = {
    "loss": ("loss", ""),
    "ms": ("ms", ".2f"),
    "x_ce": ("× CE", ".2f"),
    "peer": ("peer", ""),
    "peer_ms": ("peer ms", ".2f"),
    "speed_up": ("speed-up", ".2f"),
}


def plain_t_loss(log_nu: Tensor) -> Loss:
    """Return the T-Loss as the public code computes it: term by term, with ε and a matrix of λ."""
    pixels, epsilon = SIDE * SIDE, 1e-8
    log_precision = torch.ones(SIDE, SIDE)

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        residual = logits.sigmoid()[:, 0] - target[:, 0]
        nu = torch.exp(log_nu) + epsilon
        scaled = torch.pow(residual, 2) * torch.exp(log_precision + epsilon)
        return (
            -torch.lgamma((nu + pixels) / 2)
            + torch.lgamma(nu / 2)
            - 0.5 * torch.sum(log_precision + epsilon)
            + (pixels / 2) * math.log(math.pi)
            + (pixels / 2) * (log_nu + epsilon)
            + ((nu + pixels) / 2) * torch.log(1 + torch.sum(scaled, dim=(1, 2)) / nu)
        ).mean()

    return loss


def candidates() -> list[tuple[str, Loss, str, Loss | None]]:
    """Return name, our loss, the peer's name and the peer, a row each."""
    tversky, batch = {"alpha": 0.3, "beta": 0.7}, {"domain": "batch"}
    dice, ours = monai.losses.DiceLoss, losses
    return [
        ("dice", ours.DiceLoss(), "MONAI", dice(sigmoid=True)),
        ("dice, batch", ours.DiceLoss(**batch), "MONAI", dice(sigmoid=True, batch=True)),
        ("dice, batch", ours.DiceLoss(**batch), "smp", smp.losses.DiceLoss("binary")),
        (
            "dice, l1",
            ours.DiceLoss(soft_target="l1"),
            "MONAI",
            dice(sigmoid=True, soft_label=True),
        ),
        ("jaccard", ours.JaccardLoss(), "MONAI", dice(sigmoid=True, jaccard=True)),
        ("jaccard, batch", ours.JaccardLoss(**batch), "smp", smp.losses.JaccardLoss("binary")),
        (
            "tversky",
            ours.TverskyLoss(**tversky),
            "MONAI",
            monai.losses.TverskyLoss(sigmoid=True, **tversky),
        ),
        (
            "tversky, batch",
            ours.TverskyLoss(**tversky, **batch),
            "smp",
            smp.losses.TverskyLoss("binary", **tversky),
        ),
        (
            "focal_tversky, batch",
            ours.FocalTverskyLoss(**batch),
            "smp",
            smp.losses.TverskyLoss("binary", **tversky, gamma=0.75),
        ),
        ("noise_robust_dice", ours.NoiseRobustDiceLoss(), "", None),
        ("jaccard_metric", ours.JaccardMetricLoss(), "", None),
        ("dice_ce", ours.DiceCELoss(), "MONAI", monai.losses.DiceCELoss(sigmoid=True)),
        ("lovasz", ours.LovaszHingeLoss(), "smp", smp.losses.LovaszLoss("binary", per_image=True)),
        ("tloss", ours.TLoss(), "public formula", plain_t_loss(ours.TLoss().log_nu)),
        ("log_sse", ours.LogSSELoss(), "", None),
        ("ce", ours.CrossEntropyLoss(), "", None),
        ("mse", ours.MSELoss(), "", None),
        ("mae", ours.MAELoss(), "", None),
        ("rce", ours.RCELoss(), "", None),
        ("sce", ours.SCELoss(), "", None),
        ("gce", ours.GCELoss(), "", None),
        ("nce", ours.NCELoss(), "", None),
        ("ngce", ours.NGCELoss(), "", None),
        ("nce_rce", ours.NCERCELoss(), "", None),
        ("ngce_mae", ours.NGCEMAELoss(), "", None),
        ("ngce_rce", ours.NGCERCELoss(), "", None),
        ("focal", ours.FocalLoss(), "MONAI", monai.losses.FocalLoss(gamma=2.0)),
        ("focal", ours.FocalLoss(), "smp", smp.losses.FocalLoss("binary", gamma=2.0)),
    ]


def candidates_of_classes() -> list[tuple[str, Loss, str, Loss | None]]:
    """Return the rows for several classes; peers leave the background out too, where they can."""
    tversky, ours = {"alpha": 0.3, "beta": 0.7}, losses
    softmax = {"softmax": True, "include_background": False}
    dice, batch = monai.losses.DiceLoss, {"domain": "batch"}
    rows: list[tuple[str, Loss, str, Loss | None]] = [
        ("dice", ours.DiceLoss(), "MONAI", dice(**softmax)),
        ("dice, batch", ours.DiceLoss(**batch), "MONAI", dice(**softmax, batch=True)),
        ("jaccard", ours.JaccardLoss(), "MONAI", dice(**softmax, jaccard=True)),
        (
            "tversky",
            ours.TverskyLoss(**tversky),
            "MONAI",
            monai.losses.TverskyLoss(**softmax, **tversky),
        ),
        ("dice_ce", ours.DiceCELoss(), "MONAI", monai.losses.DiceCELoss(**softmax)),
        ("lovasz", ours.LovaszHingeLoss(), "smp", _hard(smp.losses.LovaszLoss("multiclass", True))),
        ("focal", ours.FocalLoss(), "MONAI", monai.losses.FocalLoss(use_softmax=True)),
    ]
    pixels = {
        "tloss": ours.TLoss(),
        "tloss_area": ours.AreaTLoss(),
        "log_sse": ours.LogSSELoss(),
        "ce": ours.CrossEntropyLoss(),
        "mse": ours.MSELoss(),
        "mae": ours.MAELoss(),
        "sce": ours.SCELoss(),
        "gce": ours.GCELoss(),
        "nce": ours.NCELoss(),
        "ngce": ours.NGCELoss(),
    }
    return rows + [(name, loss, "", None) for name, loss in pixels.items()]


def _hard(peer: Loss) -> Loss:
    """A peer that takes indices of classes; finding them counts as its time."""
    return lambda logits, target: peer(logits, target.argmax(dim=1))


def turn(loss: Loss, logits: Tensor, target: Tensor) -> float:
    """Return the milliseconds of a forward and backward pass, the shortest of a turn."""
    times = []
    for _ in range(3):
        logits.grad = None
        start = time.perf_counter()
        loss(logits, target).backward()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times[1:])


def measure(classes: int, repeats: int) -> list[tuple]:
    """Return the rows of the table, the cross-entropy of torch first."""
    generator = torch.Generator().manual_seed(0)
    shape = (BATCH, classes, SIDE, SIDE)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    target = torch.rand(shape, generator=generator)
    if classes == 1:
        rows, target = candidates(), (target > 0.7).float()
        cross_entropy = functional.binary_cross_entropy_with_logits
    else:
        rows = candidates_of_classes()
        target = torch.zeros(shape).scatter_(1, target.argmax(1, keepdim=True), 1)
        cross_entropy = functional.cross_entropy
    entropy = math.inf
    best = [[math.inf, math.inf] for _ in rows]
    for _ in range(repeats):
        for (_, ours, _, peer), times in zip(rows, best, strict=True):
            entropy = min(entropy, turn(cross_entropy, logits, target))
            times[0] = min(times[0], turn(ours, logits, target))
            if peer:
                times[1] = min(times[1], turn(peer, logits, target))
    table: list[tuple] = [("torch CE", entropy, 1.0, "", "", "")]
    for (name, _, peer_name, peer), (ms, peer_ms) in zip(rows, best, strict=True):
        compared = (peer_name, peer_ms, peer_ms / ms) if peer else ("", "", "")
        table.append((name, ms, ms / entropy, *compared))
    return table


def main() -> None:
    """Measure, print the table, and write it as CSV where asked."""
    parser = harness.parser(__doc__)
    parser.add_argument("--classes", type=int, default=1, help="channels (default 1: binary)")
    parser.add_argument("--repeats", type=int, default=8, help="rounds of turns (default 8)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = measure(options.classes, options.repeats)
    shape = f"{BATCH} × {options.classes} × {SIDE} × {SIDE}"
    print(f"Forward and backward at {shape}, {options.threads} thread(s)\n")
    harness.report(COLUMNS, table, options.out)


if __name__ == "__main__":
    main()
