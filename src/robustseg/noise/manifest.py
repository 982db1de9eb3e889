"""The manifest: one row per mask that says what was done to it and how wrong it is now."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robustseg.noise.model import UNREACHED, Corruption

COLUMNS = (
    "id",
    "type",
    "parameters",
    "requested",
    "reached",
    "area_clean",
    "area_noisy",
    "area_change",
    "dice",
    "sha256",
    "note",
)

Row = dict[str, Any]


def row(mask_id: str, clean: np.ndarray, noisy: np.ndarray, beta: float, done: Corruption) -> Row:
    """The manifest's row of one mask.

    With A the clean and B the noisy foreground, over the pixels that are not ignored (255):
    reached = |A △ B| / |A|, area_change a = (|B| − |A|) / |A|, dice = 2|A ∩ B| / (|A| + |B|),
    so that dice = 1 − reached / (2 + a). With A empty, reached and a are NaN unless B is empty too
    (then 0, and dice 1).

    Args:
        mask_id: The image's id.
        clean: uint8 (H, W) with 0, 1 and 255.
        noisy: The same after the corruption.
        beta: The error asked for; 0 for a clean image.
        done: What the model reported.
    """
    before, after = clean == 1, noisy == 1
    area_clean, area_noisy = int(np.count_nonzero(before)), int(np.count_nonzero(after))
    difference = int(np.count_nonzero(before != after))
    total = area_clean + area_noisy
    return {
        "id": mask_id,
        "type": done.type,
        "parameters": json.dumps(dict(done.parameters), separators=(",", ":"), sort_keys=True),
        "requested": float(beta),
        "reached": _ratio(difference, area_clean),
        "area_clean": area_clean,
        "area_noisy": area_noisy,
        "area_change": _ratio(area_noisy - area_clean, area_clean),
        "dice": 1.0 - difference / total if total else 1.0,
        "sha256": hashlib.sha256(np.ascontiguousarray(noisy).data).hexdigest(),
        "note": done.note,
    }


def _ratio(part: int, whole: int) -> float:
    """The share part / whole; 0/0 is 0 and anything else over 0 is NaN."""
    if whole == 0:
        return 0.0 if part == 0 else float("nan")
    return part / whole


def summary(manifest: Sequence[Row]) -> dict[str, Any]:
    """The manifest in a few numbers, for metrics.json.

    Returns:
        `counts` and `dice` (the mean of Dice(noisy, clean)) by type, `reached` (the mean of
        |noisy △ clean| / |clean| over the images chosen to be noisy whose clean mask has
        foreground, None if there are none), `noisy` (how many were chosen) and `unreached` (how
        many rows of them missed β, see `note`). Of label maps a row is one class of an image.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Missed, inject, summary
        >>> masks = np.ones((4, 8, 8), np.uint8)
        >>> ids = ["a", "b", "c", "d"]
        >>> manifest = inject(masks, ids, Missed(), alpha=0.5, beta=0.5, seed=0)[1]
        >>> summary(manifest)["counts"], summary(manifest)["reached"]
        ({'clean': 2, 'missed': 2}, 0.5)
    """
    counts = Counter(line["type"] for line in manifest)
    chosen = [line for line in manifest if line["requested"] > 0]
    reached = [line["reached"] for line in chosen if line["area_clean"]]
    return {
        "counts": dict(sorted(counts.items())),
        "dice": {kind: _mean_dice(manifest, kind) for kind in sorted(counts)},
        "reached": float(np.mean(reached)) if reached else None,
        "noisy": len({line["id"] for line in chosen}),
        "unreached": sum(line["note"].startswith(UNREACHED) for line in chosen),
    }


def _mean_dice(manifest: Sequence[Row], kind: str) -> float:
    return float(np.mean([line["dice"] for line in manifest if line["type"] == kind]))


def write(path: Path, manifest: Sequence[Row]) -> None:
    """Writes a manifest as CSV with the columns `COLUMNS`, and `class` of label maps."""
    columns = dict.fromkeys([*COLUMNS, *(manifest[0] if manifest else ())])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(manifest)
