"""The final numbers of a run, from the rows of its evaluations."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch

from robustseg.data.prepare import RunData
from robustseg.metrics import summarise_last
from robustseg.metrics.by_class import classes_in
from robustseg.metrics.catalogue import CATALOGUE, base_name
from robustseg.metrics.collapse import collapse_of
from robustseg.metrics.counts import COUNTS
from robustseg.noise import summary
from robustseg.runs.contents import read_metrics
from robustseg.runs.files import read_csv, replacing, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity
from robustseg.runs.labels import labels
from robustseg.settings import Settings
from robustseg.sweeps import interrupts
from robustseg.training.module import SegmentationModule


def last_evaluation(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows of images.csv in the last evaluation."""
    rows = read_csv(folder.images)
    last = max(row["epoch"] for row in rows)
    return [row for row in rows if row["epoch"] == last]


def finish(
    settings: Settings,
    identity: Identity,
    folder: RunFolder,
    data: RunData,
    module: SegmentationModule,
    last: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write the weights and, last, metrics.json."""
    with interrupts.later(), replacing(folder.weights) as temporary:
        weights = {
            "network": module.network.state_dict(),
            "loss": module.loss.state_dict(),
            "in_channels": int(data.train.images.shape[-1]),
        }
        torch.save(weights, temporary)
    counts = [name for name in last[0] if base_name(name) in COUNTS]
    metrics = {
        **_final_numbers(folder, settings.evaluation.last),
        "collapsed": collapse_of({name: [row[name] for row in last] for name in counts}),
        "test_images": len(data.test),
        "train_images": len(data.train),
        "noise": summary(data.manifest),
        "run": labels(settings, identity.run_id),
        "settings": identity.settings,
    }
    write_json(folder.metrics, metrics)
    return read_metrics(folder.metrics)


def _final_numbers(folder: RunFolder, last: int) -> dict[str, Any]:
    """Means over the last evaluations, and the end of the training curves.

    Those at the threshold that is best on noisy held-out masks end in ``_tuned``; ``threshold`` is
    that one. ``dice_image_oracle`` is at the best threshold on the test masks themselves: an upper
    bound, no result.
    """
    rows, epochs = read_csv(folder.images), read_csv(folder.epochs)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    reported = [row for row in epochs if row["epoch"] in set(columns["epoch"])]
    end = epochs[-1]
    tuned = "tp_tuned" in columns
    best: dict[int, float] = {}
    for row in read_csv(folder.thresholds) if folder.thresholds.exists() else ():
        best[row["epoch"]] = max(best.get(row["epoch"], 0.0), row["test_dice_image"])
    return {
        **summarise_last(columns, last),
        **({"threshold": fmean(row["heldout_threshold"] for row in reported)} if tuned else {}),
        **({"dice_image_oracle": fmean(best[row["epoch"]] for row in reported)} if best else {}),
        **{
            name: fmean(row.get(f"test_{name}", math.nan) for row in reported)
            for name in _measured(tuple(columns))
        },
        **{name: value for name, value in end.items() if name.startswith(("train_", "nu"))},
        "epochs": end["epoch"],
        "steps": end["step"],
        "evaluations": len(reported),
    }


def _measured(columns: Sequence[str]) -> list[str]:
    """Names of what no image has by itself."""
    classes = classes_in(columns)
    names = []
    for metric in CATALOGUE.values():
        if metric.measure and (classes or not metric.of_label_maps):
            own = () if metric.of_label_maps else classes
            names += [metric.name, *(f"{metric.name}/{name}" for name in own)]
    return names
