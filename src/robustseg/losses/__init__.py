"""Segmentation losses from logits, as functions and as modules.

Each takes logits (B, 1, H, W) of any floating dtype, a target in [0, 1] of the same shape and
optionally an `ignore` mask, and returns a scalar in float32 (float64 for float64 logits). Region
losses and the cross-entropy also take (B, C, H, W) with softmax. Values and gradients are finite
for logits up to 1e4 in magnitude, also under autocast.
"""

from robustseg.losses.active_passive import (
    NCERCELoss,
    NGCEMAELoss,
    NGCERCELoss,
    nce_rce_loss,
    ngce_mae_loss,
    ngce_rce_loss,
)
from robustseg.losses.cross_entropy import CrossEntropyLoss, cross_entropy_loss
from robustseg.losses.dice import DiceLoss, dice_loss
from robustseg.losses.gce import GCELoss, gce_loss
from robustseg.losses.jaccard import JaccardLoss, jaccard_loss
from robustseg.losses.mae import MAELoss, mae_loss
from robustseg.losses.mse import MSELoss, mse_loss
from robustseg.losses.nce import NCELoss, nce_loss
from robustseg.losses.ngce import NGCELoss, ngce_loss
from robustseg.losses.rce import RCELoss, rce_loss
from robustseg.losses.sce import SCELoss, sce_loss
from robustseg.losses.tloss import TLoss, t_loss
from robustseg.losses.tversky import TverskyLoss, tversky_loss

__all__ = [
    "CrossEntropyLoss",
    "DiceLoss",
    "GCELoss",
    "JaccardLoss",
    "MAELoss",
    "MSELoss",
    "NCELoss",
    "NCERCELoss",
    "NGCELoss",
    "NGCEMAELoss",
    "NGCERCELoss",
    "RCELoss",
    "SCELoss",
    "TLoss",
    "TverskyLoss",
    "cross_entropy_loss",
    "dice_loss",
    "gce_loss",
    "jaccard_loss",
    "mae_loss",
    "mse_loss",
    "nce_loss",
    "nce_rce_loss",
    "ngce_loss",
    "ngce_mae_loss",
    "ngce_rce_loss",
    "rce_loss",
    "sce_loss",
    "t_loss",
    "tversky_loss",
]
