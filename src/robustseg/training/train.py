"""Builds one run from its configuration and trains it."""

import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.trainer.states import TrainerStatus

from robustseg.dashboards.logger import log_results, open_loggers
from robustseg.data.batches.augmented import training_batches
from robustseg.data.batches.on_device import DeviceBatches
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.data.prepare import RunData, prepare
from robustseg.data.sources.source import Source
from robustseg.errors import DataError, UserError
from robustseg.runs.files import write_csv
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity
from robustseg.settings import Settings
from robustseg.training.build import build_module, transforms
from robustseg.training.checkpoint_io import DirectCheckpointIO
from robustseg.training.compiled import forgotten_on_failure
from robustseg.training.examples import write_examples
from robustseg.training.final_numbers import finish, last_evaluation
from robustseg.training.module import SegmentationModule
from robustseg.training.progress import make_progress
from robustseg.training.recorder import Recorder
from robustseg.training.restoring import epochs_saved, is_of_restoring, unusable

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # tips and device lists
warnings.filterwarnings("ignore", module="pytorch_lightning")
warnings.filterwarnings("ignore", module="lightning_fabric")  # that srun is there and not used
warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")


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
        last = last_evaluation(folder)
        dice = np.array([row["dice"] for row in last])
        module.to(device)  # Lightning leaves it on the CPU
        write_examples(folder.examples, module, data, dice, settings.trainer.precision)
        module.cpu()
        metrics = finish(settings, identity, folder, data, module, last)
        log_results(loggers, settings, folder)
    return metrics


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
        # The environment: no signal handlers of its own in a Slurm job.
        plugins=[LightningEnvironment(), DirectCheckpointIO()],
        callbacks=[recorder, *make_progress(how.progress, recorder, epochs)],
        logger=loggers or False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1_000_000_000,  # the recorder logs, once per epoch
    )
    batches = _batches(settings, data, steps, epochs_saved(folder.checkpoint))
    checkpoint = str(folder.checkpoint) if folder.checkpoint.exists() else None
    try:
        trainer.fit(module, batches, ckpt_path=checkpoint, weights_only=True)
    except (UserError, OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except Exception as error:
        if is_of_restoring(error):  # a checkpoint that cannot be used raises nearly anything
            raise unusable(folder.checkpoint, error) from error
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
        "transforms": transforms(settings),
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
