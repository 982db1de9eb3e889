"""A few images of a run with their masks and predictions."""

from pathlib import Path
from typing import Any

import numpy as np

from robustseg import IGNORED
from robustseg.data.prepare import RunData
from robustseg.metrics.evaluation import evaluate, predict_logits
from robustseg.metrics.segmentation import predicted_labels
from robustseg.runs.files import replacing
from robustseg.training.module import SegmentationModule

_LIMIT = 2_000_000  # bytes
_BATCH, _COPIED = 32, 32 * 8  # images; so many are copied from the cache at a time
_FIXED, _DISAGREED = 2, 3  # noisy training images that are kept


def write_examples(
    path: Path, module: SegmentationModule, data: RunData, dice: np.ndarray, precision: str
) -> None:
    """Write examples.npz: fixed test images, the worst, median and best, and noisy training ones.

    Arrays of one length: `id`; `role` (fixed, worst, median, best; train, and train_disagreed for
    those on which the network agrees least with the noisy mask it was given); `dice` against the
    clean mask (NaN for training images); `image` (n, H, W, C), `clean`, `noisy` (the mask trained
    on; of test images the clean one) and `predicted` (n, H, W), uint8; with several classes
    `classes`, the names of the foreground's. Halved in size until they fit into 2 MB.

    Args:
        path: of the file.
        module: the trained network.
        data: of the run.
        dice: (n_test,) Dice of each test image in the last evaluation.
        precision: as the trainer's.
    """
    # A mask that is ignored everywhere has Dice 1 whatever is predicted: it is no example of it.
    counted = np.flatnonzero([(mask != IGNORED).any() for mask in data.test.masks])
    order = counted[np.argsort(dice[counted], kind="stable")]
    test = [(index, "fixed") for index in range(min(2, len(data.test)))]
    test += [(order[0], "worst"), (order[len(order) // 2], "median"), (order[-1], "best")]
    train, train_roles = _training(module, data, precision)
    rows = np.array([index for index, _ in test])
    images = np.concatenate([data.test.images[rows], data.train.images[train]])
    clean = np.concatenate([data.test.masks[rows], data.train.masks[train]])
    noisy = np.concatenate([data.test.masks[rows], data.noisy[train]])
    predicted = np.concatenate(
        [
            predicted_labels(logits).cpu().numpy()
            for _, logits in predict_logits(module, images, batch_size=8, precision=precision)
        ]
    )
    arrays: dict[str, Any] = {
        "image": images,
        "clean": clean,
        "noisy": noisy,
        "predicted": predicted,
    }
    names: dict[str, Any] = {
        "id": np.array([data.test.ids[i] for i in rows] + [data.train.ids[i] for i in train]),
        "role": np.array([role for _, role in test] + train_roles),
        "dice": np.concatenate([dice[rows], np.full(len(train), np.nan)]),
    } | ({"classes": np.array(data.classes)} if data.classes else {})
    while True:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **names, **arrays)
        if path.stat().st_size <= _LIMIT:
            return
        arrays = {key: array[:, ::2, ::2] for key, array in arrays.items()}


def _training(
    module: SegmentationModule, data: RunData, precision: str
) -> tuple[np.ndarray, list[str]]:
    """Which training images to keep, and their roles: the first noisy ones, the least learnt."""
    corrupted = np.flatnonzero(data.types != "clean")
    if not len(corrupted):
        fixed = np.arange(min(2, len(data.train)))
        return fixed, ["train"] * len(fixed)
    fixed, rest = corrupted[:_FIXED], corrupted[_FIXED:]
    if not len(rest):
        return fixed, ["train"] * len(fixed)
    against_given = [
        evaluate(
            module,
            data.train.images[rows],  # a copy
            [data.noisy[rows]],
            batch_size=_BATCH,
            precision=precision,
            classes=data.classes,
        )[0]["dice"]
        for rows in np.split(rest, range(_COPIED, len(rest), _COPIED))
    ]
    least = rest[np.argsort(np.concatenate(against_given), kind="stable")[:_DISAGREED]]
    roles = ["train"] * len(fixed) + ["train_disagreed"] * len(least)
    return np.concatenate([fixed, least]), roles
