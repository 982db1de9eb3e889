"""Builds one run from its configuration and trains it."""

import logging
import math
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.trainer.connectors import checkpoint_connector
from pytorch_lightning.trainer.states import TrainerStatus
from torch import Tensor

from robustseg.dashboards.logger import log_results, open_loggers
from robustseg.data.batches.augmented import training_batches
from robustseg.data.batches.on_device import DeviceBatches
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.data.prepare import RunData, prepare
from robustseg.data.sources.source import Source
from robustseg.errors import ConfigError, DamagedRun, DataError, UserError
from robustseg.losses.regularizers import Regularized
from robustseg.metrics import summarise_last
from robustseg.metrics.by_class import classes_in
from robustseg.metrics.catalogue import CATALOGUE, base_name
from robustseg.metrics.collapse import collapse_of
from robustseg.metrics.counts import COUNTS
from robustseg.noise import summary, unfit
from robustseg.runs.contents import read_metrics
from robustseg.runs.files import read_csv, replacing, write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity
from robustseg.runs.labels import labels
from robustseg.settings import Part, Settings
from robustseg.training.compiled import CompiledNetwork, forgotten_on_failure
from robustseg.training.examples import write_examples
from robustseg.training.graphed import GraphedNetwork
from robustseg.training.module import SegmentationModule
from robustseg.training.progress import make_progress
from robustseg.training.recorder import Recorder

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # tips and device lists
warnings.filterwarnings("ignore", module="pytorch_lightning")
warnings.filterwarnings("ignore", module="lightning_fabric")  # that srun is there and not used
warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")

# What of Lightning's connector restores; it saves checkpoints, too.
_RESTORING = ("_restore_modules_and_callbacks", "restore_training_state")


def train(
    settings: Settings, identity: Identity, source: Source, folder: RunFolder
) -> dict[str, Any]:
    """Train the run, from its last checkpoint if there is one, and write its final numbers.

    Returns:
        What was written to metrics.json.

    Raises:
        DataError: the data are not those that the run is named after.
    """
    torch.set_num_threads(settings.trainer.threads)
    with forgotten_on_failure(), open_loggers(settings, identity, folder) as loggers:
        data = prepare(
            source,
            Path(settings.paths.cache),
            settings.dataset,
            settings.noise,
            instantiate(settings.noise.model.arguments()),
        )
        _check_unchanged(settings, identity, source)
        write_csv(folder.manifest, data.manifest)
        write_csv(folder.split, data.split_rows())
        module = build_module(settings, source.channels, data.has_ignored)
        device = _fit(settings, folder, data, module, loggers)
        last = _last_evaluation(folder)
        dice = np.array([row["dice"] for row in last])
        module.to(device)  # Lightning leaves it on the CPU
        write_examples(folder.examples, module, data, dice, settings.trainer.precision)
        module.cpu()
        metrics = _finish(settings, identity, folder, data, module, last)
        log_results(loggers, settings, folder)
    return metrics


def rehearse(settings: Settings, in_channels: int) -> None:
    """Build every part once, so that a constructor refuses before any file is made.

    Raises:
        InstantiationException: a constructor refuses its arguments.
        ConfigError: the noise is not one for such masks.
    """
    classes = settings.dataset.classes
    model = _built("noise.model", settings.noise.model)
    if trouble := unfit(model, None if classes is None else len(classes)):
        raise ConfigError(trouble)
    _transforms(settings)
    build_module(settings, in_channels)


def build_module(
    settings: Settings, in_channels: int, has_ignored: bool = False
) -> SegmentationModule:
    """Network, loss, optimiser and schedule; initial weights are drawn from the seed."""
    pl.seed_everything(settings.seed, verbose=False)
    loss = Regularized(
        _built("loss", settings.loss),
        _built("regularizer", settings.regularizer),
    )
    optimizer, scheduler = settings.optimizer, settings.scheduler
    classes = len(settings.dataset.classes or [""])
    channels = {"in_channels": in_channels} | ({"classes": classes} if classes > 1 else {})
    network = _built("model", settings.model, **channels)
    computed: Callable[[Tensor], Tensor] | None = None
    if settings.trainer.compile:
        computed = CompiledNetwork(network, settings, **channels)
    elif settings.trainer.cuda_graphs:
        computed = GraphedNetwork(network, settings.dataset.batch_size)
    return SegmentationModule(
        network,
        loss,
        instantiate(optimizer.arguments(), _partial_=True),
        loss_lr=settings.loss.parameter_lr,
        scheduler=instantiate(scheduler.arguments(), _partial_=True)
        if scheduler.is_built
        else None,
        channels_last=settings.trainer.channels_last,
        computed=computed,
        seed=settings.seed,
        has_ignored=has_ignored,
        classes=classes,
    )


def _built(path: str, part: Part, **added: Any) -> Any:
    """What a part describes; a constructor's refusal of an argument names the setting."""
    try:
        return instantiate(part.arguments(), **added)
    except InstantiationException as error:
        cause = error.__cause__
        refused = isinstance(cause, ValueError) and not isinstance(cause, UserError)
        if refused and str(cause).partition(" ")[0] in part.arguments():
            raise ConfigError(f"{path}.{cause}") from cause
        raise


def _check_unchanged(settings: Settings, identity: Identity, source: Source) -> None:
    """Refuses data that changed between the run's id and their being decoded."""
    found = fingerprint_for_run(source, settings.dataset, Path(settings.paths.cache))
    if found != identity.fingerprint:
        raise DataError(
            f"{settings.dataset.root or 'the data'}: changed while the run started (fingerprint "
            f"{identity.fingerprint[:8]} before, {found[:8]} now), so nothing was trained. Wait "
            "until no other program writes there, and run the command again: on the changed "
            "data it is another run"
        )


def _fit(
    settings: Settings,
    folder: RunFolder,
    data: RunData,
    module: SegmentationModule,
    loggers: list[Any],
) -> torch.device:
    """Train to the end; returns where the network was."""
    how = settings.trainer
    steps = how.steps_per_epoch if how.max_steps is not None else None
    epochs = how.max_epochs
    recorder = Recorder(
        folder,
        data,
        settings.evaluation,
        epochs=epochs,
        precision=how.precision,
        checkpoint_every=how.checkpoint_every,
    )
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator=how.accelerator,
        devices=1,
        precision=how.precision,
        gradient_clip_val=how.gradient_clip_val,
        plugins=[LightningEnvironment()],  # no signal handlers of its own in a Slurm job
        callbacks=[recorder, *make_progress(how.progress, recorder, epochs)],
        logger=loggers or False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1_000_000_000,  # the recorder logs, once per epoch
    )
    batches = _batches(settings, data, steps, _epochs_saved(folder.checkpoint))
    checkpoint = str(folder.checkpoint) if folder.checkpoint.exists() else None
    try:
        trainer.fit(module, batches, ckpt_path=checkpoint, weights_only=True)
    except (UserError, OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except Exception as error:
        if _is_of_restoring(error):  # a checkpoint that cannot be used raises nearly anything
            raise _unusable(folder.checkpoint, error) from error
        raise
    except SystemExit as error:  # how Lightning ends on Ctrl-C and SIGTERM, and submitit's jobs
        if trainer.state.status == TrainerStatus.INTERRUPTED:
            raise KeyboardInterrupt from error
        raise
    finally:
        if isinstance(batches, DeviceBatches):
            batches.close()
    return trainer.strategy.root_device


def _batches(settings: Settings, data: RunData, steps: int | None, epoch: int) -> Iterable[Any]:
    """The training batches, made on the device that keeps the images."""
    dataset = settings.dataset
    how: dict[str, Any] = {
        "transforms": _transforms(settings),
        "batch_size": dataset.batch_size,
        "seed": settings.seed,
        "steps": steps,
        "epoch": epoch,
        "num_workers": dataset.num_workers,
    }
    if dataset.device == "cuda":
        return DeviceBatches(data.train.images, data.noisy, torch.device("cuda"), **how)
    pinned = settings.trainer.accelerator != "cpu"
    return training_batches(data.train.images, data.noisy, **how, pin_memory=pinned)


def _transforms(settings: Settings) -> list[Any]:
    return [instantiate(one.arguments()) for one in settings.augmentation.transforms]


def _epochs_saved(checkpoint: Path) -> int:
    """How many epochs the network of a checkpoint was trained; 0 if there is none yet."""
    if not checkpoint.exists():
        return 0
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return int(state["epoch"]) + 1
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise _unusable(checkpoint, error) from error


def _is_of_restoring(error: Exception) -> bool:
    """Whether an error was raised where Lightning restores a checkpoint.

    Between that and the first batch a device may fail to start, or a logger to reach its server: no
    reason to give a checkpoint up.
    """
    return any(
        frame.f_globals.get("__name__") == checkpoint_connector.__name__
        and frame.f_code.co_name in _RESTORING
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _unusable(checkpoint: Path, error: Exception) -> DamagedRun:
    return DamagedRun(f"the checkpoint {checkpoint.name} cannot be used: {error!r:.200}")


def _last_evaluation(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows of images.csv in the last evaluation."""
    rows = read_csv(folder.images)
    last = max(row["epoch"] for row in rows)
    return [row for row in rows if row["epoch"] == last]


def _finish(
    settings: Settings,
    identity: Identity,
    folder: RunFolder,
    data: RunData,
    module: SegmentationModule,
    last: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write the weights and, last, metrics.json."""
    with replacing(folder.weights) as temporary:
        torch.save(
            {"network": module.network.state_dict(), "loss": module.loss.state_dict()}, temporary
        )
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
