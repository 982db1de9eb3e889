"""Segmentation losses from logits, as functions and as modules.

Each takes logits (B, 1, H, W) of any floating dtype, a target in [0, 1] of the same shape and
optionally an `ignore` mask, and returns a scalar in float32 (float64 for float64 logits). With
(B, C, H, W), C > 1, the classes compete by softmax, the first being the background. Values and
gradients are finite for logits up to 1e4 in magnitude, also under autocast. With float16 logits the
gradient of the T-Losses and of the log of squared errors, which reaches D/B and more at a nearly
perfect image of D pixels, overflows from about 288 × 288 pixels: take bfloat16, or scale the loss.
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
from robustseg.losses.dice_ce import DiceCELoss, dice_ce_loss
from robustseg.losses.focal import FocalLoss, focal_loss
from robustseg.losses.focal_tversky import FocalTverskyLoss, focal_tversky_loss
from robustseg.losses.gce import GCELoss, gce_loss
from robustseg.losses.jaccard import JaccardLoss, jaccard_loss
from robustseg.losses.jaccard_metric import JaccardMetricLoss, jaccard_metric_loss
from robustseg.losses.log_sse import LogSSELoss, log_sse_loss
from robustseg.losses.lovasz import LovaszHingeLoss, lovasz_hinge_loss
from robustseg.losses.mae import MAELoss, mae_loss
from robustseg.losses.mse import MSELoss, mse_loss
from robustseg.losses.nce import NCELoss, nce_loss
from robustseg.losses.ngce import NGCELoss, ngce_loss
from robustseg.losses.noise_robust_dice import NoiseRobustDiceLoss, noise_robust_dice_loss
from robustseg.losses.rce import RCELoss, rce_loss
from robustseg.losses.sce import SCELoss, sce_loss
from robustseg.losses.tloss import TLoss, t_loss
from robustseg.losses.tloss_area import AreaTLoss, area_t_loss
from robustseg.losses.tversky import TverskyLoss, tversky_loss

__all__ = [
    "AreaTLoss",
    "CrossEntropyLoss",
    "DiceCELoss",
    "DiceLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GCELoss",
    "JaccardLoss",
    "JaccardMetricLoss",
    "LogSSELoss",
    "LovaszHingeLoss",
    "MAELoss",
    "MSELoss",
    "NCELoss",
    "NCERCELoss",
    "NGCELoss",
    "NGCEMAELoss",
    "NGCERCELoss",
    "NoiseRobustDiceLoss",
    "RCELoss",
    "SCELoss",
    "TLoss",
    "TverskyLoss",
    "area_t_loss",
    "cross_entropy_loss",
    "dice_ce_loss",
    "dice_loss",
    "focal_loss",
    "focal_tversky_loss",
    "gce_loss",
    "jaccard_loss",
    "jaccard_metric_loss",
    "log_sse_loss",
    "lovasz_hinge_loss",
    "mae_loss",
    "mse_loss",
    "nce_loss",
    "nce_rce_loss",
    "ngce_loss",
    "ngce_mae_loss",
    "ngce_rce_loss",
    "noise_robust_dice_loss",
    "rce_loss",
    "sce_loss",
    "t_loss",
    "tversky_loss",
]
