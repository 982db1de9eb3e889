"""One run from its configuration to its folder: skipped, resumed or trained."""

import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from robustseg.configuration.allowed_names import check_run_id, check_visible
from robustseg.configuration.buildable import check_targets
from robustseg.configuration.checks import resolve
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.data.sources.files import FileSource
from robustseg.errors import AlreadyRunning, ConfigError, OtherConditions, RunFailed
from robustseg.runs.finished import finished_metrics
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity, identify
from robustseg.runs.joined import join
from robustseg.runs.lock import DEAD_AFTER, hold
from robustseg.settings import Settings
from robustseg.sweeps import interrupts, limit
from robustseg.sweeps.outcomes import Outcome
from robustseg.sweeps.recorded import check_records, record_of, recorded_status
from robustseg.sweeps.serial import place
from robustseg.sweeps.sweep import check_folder, is_alone, job_name, note, sweep_token
from robustseg.terminal.duration import duration
from robustseg.training.attempt import (
    attempt_run,
    changed_conditions,
    is_forced,
    sentence,
    with_experiment,
)
from robustseg.training.data_warnings import data_warnings
from robustseg.training.failure import exit_code, message
from robustseg.training.own_code import own_code
from robustseg.training.reported import said, warning

_log = logging.getLogger(__name__)
# Seconds that one waits to join an experiment: who holds the run's lock may stand still for
# minutes, and on another host it may have died, which shows only then.
_PATIENCE = 2 * DEAD_AFTER
_QUIET = 10.0  # seconds of waiting that are not worth a word


def run(cfg: DictConfig) -> None:
    """Train the run that `cfg` describes, unless it is finished; note what became of it.

    Raises:
        RunFailed: the configuration is refused, the data is not there, or training failed. The
            rest of a sweep continues.
    """
    begin = time.monotonic()
    name = ""
    try:
        settings = resolve(cfg)
        check_targets(settings, "dataset")
        if is_alone():
            check_folder(HydraConfig.get())
            limit.arm(settings.minutes)
        interrupts.stop_if_lost()
        check_records(settings.records)
        source = instantiate(settings.dataset.source.arguments())
        if isinstance(source, FileSource):
            source.check_trainable()
        cache = Path(settings.paths.cache)
        identity = identify(settings, fingerprint_for_run(source, settings.dataset, cache))
        name = identity.run_id
        check_run_id(name)
        check_visible(identity.settings)
        outcome = _run(settings, identity, source)
    except Exception as error:
        interrupts.stop_if_lost()
        why = message(error)
        seconds = time.monotonic() - begin
        note(Outcome(name or job_name(), "failed", seconds=seconds, message=why))
        code = exit_code(error)
        wrong_call = is_alone() and code == ConfigError.exit_code  # before there is a run
        text = why if wrong_call else f"{name or job_name()} failed. {why}"
        raise RunFailed(text, code) from error
    note(outcome)


def _run(settings: Settings, identity: Identity, source: Any) -> Outcome:
    begin = time.monotonic()
    folder = RunFolder(Path(settings.paths.runs) / identity.run_id)
    metrics = _finished(settings, identity, folder)
    if metrics is not None:
        _tidy(folder)
        return _skip(settings, folder, metrics, begin)
    record = None if settings.force else record_of(identity.run_id, settings.records)
    if record is not None:
        return _skip_recorded(settings, identity.run_id, record, begin)
    _announce(identity.run_id)
    _make_ready(settings, source, folder)
    try:
        with hold(folder.lock):
            # Another process may have finished it while this one was importing.
            metrics = _finished(settings, identity, folder)
            if metrics is None:
                note(Outcome(identity.run_id, "running"))
                with data_warnings() as warnings:
                    metrics, differs = attempt_run(settings, identity, source, folder)
                trained = True
            else:
                trained = False
    except AlreadyRunning as error:
        _log.warning("%s", error)
        return Outcome(identity.run_id, "busy", message=str(error))
    if not trained:
        return _skip(settings, folder, metrics, begin)
    return _trained(settings, folder, metrics, differs, warnings, begin)


def _make_ready(settings: Settings, source: Any, folder: RunFolder) -> None:
    """Raises what would stop the run before it trains, and makes the place of its folder."""
    check_targets(settings)
    _check_gpu(settings.trainer.accelerator)
    if not folder.path.exists():
        from robustseg.training.build import rehearse

        rehearse(settings, source.channels)
    _make_place(settings.paths.runs)
    with suppress(FileNotFoundError):  # another process was quicker
        aside = folder.set_link_aside()
        if aside is not None:
            _log.warning(
                "%s is not a directory; moved to %s, the run restarts", folder.run_id, aside
            )


def _trained(
    settings: Settings,
    folder: RunFolder,
    metrics: dict[str, Any],
    differs: list[str],
    warnings: list[str],
    begin: float,
) -> Outcome:
    """Report a run that has just ended."""
    seconds = time.monotonic() - begin
    _log.info(
        "  Dice %.3f per image, %.3f pooled, %s, %s",
        metrics["dice_image"],
        metrics["dice_pooled"],
        said(metrics["evaluations"]),
        duration(seconds),
    )
    remark = warning(settings)
    _warn(folder.run_id, sentence("was resumed", differs), remark)
    cost = folder.read_status()["cost"]
    return Outcome(
        folder.run_id,
        "done",
        metrics["dice_image"],
        seconds,
        trained_seconds=cost["train_seconds"] + cost["evaluation_seconds"],
        remark=remark,
        differs=differs,
        warnings=warnings,
    )


def _check_gpu(accelerator: str) -> None:
    """Refuse a GPU that is not there; a sweep's run may be on another machine than its call."""
    if accelerator != "gpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator=gpu: PyTorch finds no GPU; use auto or cpu")


def _make_place(runs: str) -> None:
    """Make the folder of runs, so that one that cannot be is refused by its setting."""
    try:
        Path(runs).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"paths.runs={runs}: no folder can be made there ({error.strerror}); name another"
        ) from error


def _announce(run_id: str) -> None:
    """Say what is to be trained, and what takes the first seconds of it."""
    _log.info("%s%s", place(), run_id)
    if "torch" not in sys.modules:
        print("  loading PyTorch", file=sys.stderr, flush=True)


def _finished(settings: Settings, identity: Identity, folder: RunFolder) -> dict[str, Any] | None:
    return None if is_forced(settings, folder) else finished_metrics(folder, identity)


def _warn(run_id: str, *remarks: str) -> None:
    """Warn of what a single run's reader has to know; a sweep's summary says it once."""
    for remark in remarks if sweep_token() is None else ():
        if remark:
            _log.warning("%s: %s", run_id, remark)


def _skip(settings: Settings, folder: RunFolder, metrics: dict[str, Any], begin: float) -> Outcome:
    status = folder.read_status()
    differs = changed_conditions(settings, status, "was finished")
    remark = ""
    if metrics.get("dice_image_pos") is None:  # an older run, when such sets were not refused
        remark = "no test mask has foreground, so its Dice says nothing: force=true checks the data"
    _join_experiment(folder, settings.experiment, status)
    _log.info("%s: finished before, skipped", folder.run_id)
    _warn(folder.run_id, sentence("was finished", differs), remark)
    seconds = time.monotonic() - begin
    dice = metrics["dice_image"]
    return Outcome(folder.run_id, "skipped", dice, seconds, remark=remark, differs=differs)


def _skip_recorded(settings: Settings, run_id: str, record: str, begin: float) -> Outcome:
    status = recorded_status(run_id, record)
    differs = changed_conditions(settings, status, "was recorded")
    unknown = [] if status else ["its conditions"]
    unknown += [f"the source of {name}" for name in own_code(settings.plain())]
    if settings.strict and unknown:
        raise OtherConditions(
            f"strict=true: {record} does not tell {', '.join(unknown)}. Train the run with "
            "force=true, or leave out strict=true"
        )
    if settings.experiment:
        join(Path(settings.paths.runs), run_id, settings.experiment)
    _log.info("%s: recorded before, skipped", run_id)
    _warn(run_id, sentence("was recorded", differs))
    seconds, where = time.monotonic() - begin, f"recorded before in {record}"
    return Outcome(run_id, "skipped", seconds=seconds, message=where, differs=differs)


def _tidy(folder: RunFolder) -> None:
    """Delete what is left of a finished run that was killed in its last moment."""
    if folder.checkpoint.exists() or folder.lock.exists():
        with suppress(AlreadyRunning), hold(folder.lock):  # alive: it does so itself
            folder.checkpoint.unlink(missing_ok=True)


def _join_experiment(folder: RunFolder, experiment: str | None, status: dict[str, Any]) -> None:
    """A run may belong to several experiments; who joins holds its lock, so that none is lost."""
    if experiment is None or experiment in status.get("experiments", []):
        return
    begin, told = time.monotonic(), False
    while True:
        try:
            with hold(folder.lock):
                joined = folder.read_status().get("experiments", [])
                if experiment not in joined:
                    folder.update_status(experiments=with_experiment(joined, experiment))
            return
        except AlreadyRunning as busy:
            waited = time.monotonic() - begin
            if waited > _PATIENCE:
                raise
            if waited > _QUIET and not told:
                _log.warning("%s; waiting to note that it belongs to %s", busy, experiment)
                told = True
            time.sleep(min(0.02 + waited / 10, 1.0))
