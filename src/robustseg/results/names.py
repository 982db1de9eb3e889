"""Losses as papers write them, and the colour that each has in every figure."""

LOSSES = {
    "tloss": "T-Loss",
    "gce": "GCE",
    "mae": "MAE",
    "rce": "RCE",
    "ce": "CE",
    "dice": "Dice",
    "dice_ce": "Dice + CE",
    "sce": "SCE",
    "nce": "NCE",
    "ngce": "NGCE",
    "nce_rce": "NCE + RCE",
    "ngce_mae": "NGCE + MAE",
    "ngce_rce": "NGCE + RCE",
    "tversky": "Tversky",
    "jaccard": "Jaccard",
    "jaccard_metric": "Jaccard metric",
    "focal": "Focal",
    "focal_tversky": "Focal Tversky",
    "lovasz": "Lovász",
    "log_sse": "log SSE",
    "mse": "MSE",
    "noise_robust_dice": "NR-Dice",
    "tloss_area": "T-Loss (area)",
    "tloss_area_mean": "T-Loss (mean area)",
    "tloss_ratio": "T-Loss (ratio)",
}


def loss_name(name: object) -> str:
    """The name of a loss as papers write it; of one's own loss its name.

    Example:
        >>> loss_name("dice_ce"), loss_name("mine")
        ('Dice + CE', 'mine')
    """
    return LOSSES.get(str(name), str(name))
