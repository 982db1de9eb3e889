"""One run from its configuration to its folder: skipped, resumed or trained."""

import logging
import os
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from robustseg.configuration import checks as configuration
from robustseg.configuration.allowed_names import check_run_id
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.errors import (
    AlreadyRunning,
    ConfigError,
    DamagedRun,
    OtherConditions,
    RunFailed,
    UserError,
)
from robustseg.runs.files import read_csv, write_text
from robustseg.runs.finished import check_resumable, finished_metrics
from robustseg.runs.folder import RunFolder, now
from robustseg.runs.identity import SCHEMA, Identity, identify
from robustseg.runs.joined import join
from robustseg.runs.labels import labels
from robustseg.runs.lock import hold
from robustseg.settings import Settings
from robustseg.sweeps import limit
from robustseg.sweeps.outcomes import Outcome, called, is_alone, job_name, note, sweep_token
from robustseg.sweeps.recorded import check_records, record_of
from robustseg.sweeps.serial import place
from robustseg.terminal.duration import duration
from robustseg.terminal.suggestion import shorter
from robustseg.training import memory
from robustseg.training.conditions import conditions, differences
from robustseg.training.reported import said, warning

_log = logging.getLogger(__name__)
_PATIENCE = 60.0  # seconds that one waits to join an experiment


def run(cfg: DictConfig) -> None:
    """Train the run that `cfg` describes, unless it is finished; note what became of it.

    Raises:
        RunFailed: the configuration is refused, the data is not there, or training failed. The
            rest of a sweep continues.
    """
    begin = time.monotonic()
    name = ""
    try:
        settings = configuration.resolve(cfg)
        configuration.check_targets(settings, "dataset")
        if is_alone():
            limit.arm(settings.minutes)
        limit.stop_if_over()
        check_records(settings.records)
        source = instantiate(settings.dataset.source.arguments())
        cache = Path(settings.paths.cache)
        identity = identify(settings, fingerprint_for_run(source, settings.dataset, cache))
        name = identity.run_id
        check_run_id(name)
        outcome = _run(settings, identity, source)
    except Exception as error:
        message = _message(_cause(error))
        seconds = time.monotonic() - begin
        note(Outcome(name or job_name(), "failed", seconds=seconds, message=message))
        code = _exit_code(error)
        wrong_call = is_alone() and code == ConfigError.exit_code  # of which there is no run
        said = message if wrong_call else f"{name or job_name()} failed. {message}"
        raise RunFailed(said, code) from error
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
    configuration.check_targets(settings)
    if not folder.path.exists():
        from robustseg.training.train import rehearse

        rehearse(settings, source.channels)
    with suppress(FileNotFoundError):  # another process was quicker
        aside = folder.set_link_aside()
        if aside is not None:
            _log.warning(
                "%s is not a directory; moved to %s, the run restarts", identity.run_id, aside
            )
    try:
        with hold(folder.lock):
            # Another process may have finished it while this one was importing.
            metrics = _finished(settings, identity, folder)
            if metrics is None:
                note(Outcome(identity.run_id, "running"))
                metrics, differs = _train(settings, identity, source, folder)
                trained = True
            else:
                trained = False
    except AlreadyRunning as error:
        _log.warning("%s", error)
        return Outcome(identity.run_id, "busy", message=str(error))
    if not trained:
        return _skip(settings, folder, metrics, begin)
    seconds = time.monotonic() - begin
    _log.info(
        "  Dice %.3f per image, %.3f pooled, %s, %s",
        metrics["dice_image"],
        metrics["dice_pooled"],
        said(metrics["evaluations"]),
        duration(seconds),
    )
    remark = warning(settings)
    _warn(identity.run_id, _sentence("was resumed", differs), remark)
    dice = metrics["dice_image"]
    return Outcome(identity.run_id, "done", dice, seconds, remark=remark, differs=differs)


def _announce(run_id: str) -> None:
    """Say what is to be trained, and what takes the first seconds of it."""
    _log.info("%s%s", place(), run_id)
    if "torch" not in sys.modules:
        print("  loading PyTorch", file=sys.stderr, flush=True)


def _finished(settings: Settings, identity: Identity, folder: RunFolder) -> dict[str, Any] | None:
    return None if _forced(settings, folder) else finished_metrics(folder, identity)


def _warn(run_id: str, *remarks: str) -> None:
    """Warn of what a single run's reader has to know; a sweep's summary says it once."""
    for remark in remarks if sweep_token() is None else ():
        if remark:
            _log.warning("%s: %s", run_id, remark)


def _forced(settings: Settings, folder: RunFolder) -> bool:
    """Whether the run must restart: once in a sweep, also if its job is requeued."""
    sweep = sweep_token()
    return settings.force and (sweep is None or folder.read_status().get("forced_by") != sweep)


def _skip(settings: Settings, folder: RunFolder, metrics: dict[str, Any], begin: float) -> Outcome:
    status = folder.read_status()
    differs = _changed(settings, status, "was finished")
    remark = ""
    if metrics.get("dice_image_pos") is None:  # a run of before, when such sets were not refused
        remark = "no test mask has foreground, so its Dice says nothing: force=true checks the data"
    _join_experiment(folder, settings.experiment, status)
    _log.info("%s: finished before, skipped", folder.run_id)
    _warn(folder.run_id, _sentence("was finished", differs), remark)
    seconds = time.monotonic() - begin
    dice = metrics["dice_image"]
    return Outcome(folder.run_id, "skipped", dice, seconds, remark=remark, differs=differs)


def _changed(settings: Settings, status: dict[str, Any], what: str) -> list[str]:
    """What differs now from a run's last attempt.

    Raises:
        OtherConditions: it differs, and strict=true.
    """
    attempts = status.get("attempts") or [{}]
    then = attempts[-1] if "versions" in attempts[-1] else status
    found = differences(then, conditions(settings))
    if found and settings.strict:
        raise OtherConditions(
            f"strict=true: it {_sentence(what, found)}. Restore them, train it again with "
            "force=true, or leave out strict=true"
        )
    return found


def _sentence(what: str, differs: list[str]) -> str:
    return f"{what} under other conditions: {'; '.join(differs)}" if differs else ""


def _skip_recorded(settings: Settings, run_id: str, record: str, begin: float) -> Outcome:
    if settings.experiment:
        join(Path(settings.paths.runs), run_id, settings.experiment)
    _log.info("%s: recorded before, skipped", run_id)
    seconds = time.monotonic() - begin
    return Outcome(run_id, "skipped", seconds=seconds, message=f"recorded before in {record}")


def _train(
    settings: Settings, identity: Identity, source: Any, folder: RunFolder
) -> tuple[dict[str, Any], list[str]]:
    """The final numbers, and what differs from the conditions of the attempt before."""
    try:
        settings, differs = _start(settings, identity, folder)
        from robustseg.training.train import train

        measured = memory.forget_peak(settings.trainer.accelerator)
        try:
            metrics = train(settings, identity, source, folder)
        except DamagedRun as damage:
            settings, differs = _start(settings, identity, folder, damage)
            metrics = train(settings, identity, source, folder)
    except BaseException as error:
        _fail(folder, error)
        raise
    folder.update_status(
        state="done",
        finished=now(),
        error=None,
        collapsed=metrics["collapsed"],
        cost=_cost(folder, settings.trainer.accelerator, measured),
        files=folder.files(),
    )
    folder.checkpoint.unlink(missing_ok=True)
    return metrics, differs


def _cost(folder: RunFolder, accelerator: str, measured: bool) -> dict[str, float]:
    """Seconds of all attempts, training and evaluation apart; peak memory (MiB) of the last.

    The memory is left out unless it was measured for this run alone.
    """
    rows = read_csv(folder.epochs)
    evaluation = sum(row.get("evaluation_seconds", 0) for row in rows)
    return {
        "train_seconds": round(sum(row["seconds"] for row in rows) - evaluation, 3),
        "evaluation_seconds": round(evaluation, 3),
        **({"peak_memory_mb": round(memory.peak_mb(accelerator), 1)} if measured else {}),
    }


def _start(
    settings: Settings,
    identity: Identity,
    folder: RunFolder,
    damage: DamagedRun | None = None,
) -> tuple[Settings, list[str]]:
    """Find the checkpoint to resume from, or set old files aside, and write the status.

    Returns:
        The settings, with the compute threads of the attempt that is resumed, and what differs
        from its conditions.

    Raises:
        OtherConditions: they differ, and strict=true.
    """
    folder.clear_temporary()
    experiments = folder.read_status().get("experiments", [])
    dashboard_id = folder.dashboard_id
    reason = damage or _reason_to_restart(settings, identity, folder)
    if reason:
        aside = folder.set_aside()
        dashboard_id = aside.name.removeprefix(".")
        _log.warning("%s: %s; restarts, the old run is %s", identity.run_id, reason, aside)
    status, differs = folder.read_status(), list[str]()
    if folder.checkpoint.exists():
        differs = _changed(settings, status, "was resumed")
        threads = status.get("threads", settings.trainer.threads)
        settings = settings.changed(trainer=settings.trainer.changed(threads=threads))
        _log.info("%s: resumes from its last checkpoint", identity.run_id)
    write_text(folder.config, OmegaConf.to_yaml(OmegaConf.create(settings.plain())))
    trainer, current = settings.trainer, conditions(settings)
    attempt = {
        "started": now(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        **called(),
        **current,
    }
    folder.update_status(
        schema=SCHEMA,
        run_id=identity.run_id,
        state="running",
        run=labels(settings, identity.run_id),
        epochs=trainer.max_epochs,
        dashboard_id=dashboard_id,
        experiments=_with(experiments, settings.experiment),
        forced_by=sweep_token() if settings.force else status.get("forced_by"),
        fingerprint=identity.fingerprint,
        data_folder=Path(root).resolve().name if (root := settings.dataset.root) else None,
        threads=trainer.threads,
        accelerator=trainer.accelerator,
        processor=current["processor"],
        precision=trainer.precision,
        attempts=[*status.get("attempts", []), attempt],
        versions=current["versions"],
        commit=current["commit"],
        error=None,
    )
    return settings, differs


def _reason_to_restart(settings: Settings, identity: Identity, folder: RunFolder) -> object:
    if _forced(settings, folder) and folder.status.exists():
        return "force=true"
    try:
        check_resumable(folder, identity)
    except DamagedRun as damage:
        return damage
    return None


def _cause(error: BaseException) -> BaseException:
    """What a constructor raised, where Hydra tells of it in words of its own."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return error.__cause__
    return error


def _message(cause: BaseException) -> str:
    """Why a run failed; what the user can mend needs no class of error before it."""
    if isinstance(cause, UserError | ValueError):
        return shorter(str(cause))
    return shorter(f"{type(cause).__name__}: {cause}")


def _exit_code(error: Exception) -> int:
    """Whether the run failed, or its call is wrong: also what a constructor does not take."""
    cause = _cause(error)
    if isinstance(cause, UserError):
        return cause.exit_code
    refused = isinstance(error, InstantiationException) and isinstance(cause, ValueError)
    wrong = refused or isinstance(error, OmegaConfBaseException)
    return ConfigError.exit_code if wrong else UserError.exit_code


def _fail(folder: RunFolder, error: BaseException) -> None:
    """Note a failure; an interrupted run stays "running", without a live lock.

    One that strict=true refuses is what it was.
    """
    if isinstance(error, KeyboardInterrupt | SystemExit | OtherConditions):
        return
    trace = "".join(traceback.format_exception(error))
    cause = _cause(error)
    try:
        folder.mark_failed(type(cause).__name__, str(cause), trace)
    except OSError as full:  # a full disk is reported by the error that propagates
        error.add_note(f"It could not be noted in {folder.status}: {full}")
        _log.error("%s: the failure could not be noted: %s", folder.run_id, full)


def _tidy(folder: RunFolder) -> None:
    """Delete what is left of a finished run that was killed in its last moment."""
    if folder.checkpoint.exists() or folder.lock.exists():
        with suppress(AlreadyRunning), hold(folder.lock):  # alive: it does so itself
            folder.checkpoint.unlink(missing_ok=True)


def _join_experiment(folder: RunFolder, experiment: str | None, status: dict[str, Any]) -> None:
    """A run may belong to several experiments; who joins holds its lock, so that none is lost."""
    if experiment is None or experiment in status.get("experiments", []):
        return
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with hold(folder.lock):
                joined = folder.read_status().get("experiments", [])
                if experiment not in joined:
                    folder.update_status(experiments=_with(joined, experiment))
            return
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _with(experiments: list[str], experiment: str | None) -> list[str]:
    if experiment is None or experiment in experiments:
        return experiments
    return [*experiments, experiment]
