"""One run from its configuration to its folder: skipped, resumed or trained."""

import logging
import os
import platform
import socket
import subprocess
import time
import traceback
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from robustseg.configuration import checks as configuration
from robustseg.configuration import hardware
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.errors import AlreadyRunning, ConfigError, DamagedRun, RunFailed, UserError
from robustseg.runs.files import read_csv, write_text
from robustseg.runs.folder import RunFolder, now
from robustseg.runs.identity import SCHEMA, Identity, identify
from robustseg.runs.joined import join
from robustseg.runs.labels import labels
from robustseg.runs.lock import hold
from robustseg.settings import Settings
from robustseg.sweeps import limit
from robustseg.sweeps.outcomes import Outcome, is_alone, job_name, note, sweep_token
from robustseg.sweeps.recorded import check_records, record_of
from robustseg.training import memory

_log = logging.getLogger(__name__)
_LIBRARIES = ("robustseg", "torch", "pytorch-lightning", "albumentations", "numpy", "scipy")


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
        outcome = _run(settings, identity, source)
    except Exception as error:
        cause = _cause(error)
        message = f"{type(cause).__name__}: {cause}"
        name = name or job_name()
        note(Outcome(name, "failed", seconds=time.monotonic() - begin, message=message))
        raise RunFailed(f"{name} failed. {message}", _exit_code(error)) from error
    note(outcome)


def _run(settings: Settings, identity: Identity, source: Any) -> Outcome:
    begin = time.monotonic()
    folder = RunFolder(Path(settings.paths.runs) / identity.run_id)
    metrics = _finished(settings, folder)
    if metrics is not None:
        _tidy(folder)
        return _skip(settings, folder, metrics, begin)
    record = None if settings.force else record_of(identity.run_id, settings.records)
    if record is not None:
        return _skip_recorded(settings, identity.run_id, record, begin)
    configuration.check_targets(settings)
    try:
        with hold(folder.lock):
            # Another process may have finished it while this one was importing.
            metrics = _finished(settings, folder)
            if metrics is not None:
                return _skip(settings, folder, metrics, begin)
            note(Outcome(identity.run_id, "running"))
            metrics = _train(settings, identity, source, folder)
    except AlreadyRunning as error:
        _log.warning("%s", error)
        return Outcome(identity.run_id, "busy", message=str(error))
    seconds = time.monotonic() - begin
    _log.info(
        "%s: Dice %.3f per image, %.3f pooled, in %.0f s",
        identity.run_id,
        metrics["dice_image"],
        metrics["dice_pooled"],
        seconds,
    )
    return Outcome(identity.run_id, "done", metrics["dice_image"], seconds)


def _finished(settings: Settings, folder: RunFolder) -> dict[str, Any] | None:
    return None if _forced(settings, folder) else folder.read_metrics()


def _forced(settings: Settings, folder: RunFolder) -> bool:
    """Whether the run must restart: once in a sweep, also if its job is requeued."""
    sweep = sweep_token()
    return settings.force and (sweep is None or folder.read_status().get("forced_by") != sweep)


def _skip(settings: Settings, folder: RunFolder, metrics: dict[str, Any], begin: float) -> Outcome:
    _join_experiment(folder, settings.experiment)
    _log.info("%s: finished before, skipped", folder.run_id)
    return Outcome(folder.run_id, "skipped", metrics["dice_image"], time.monotonic() - begin)


def _skip_recorded(settings: Settings, run_id: str, record: str, begin: float) -> Outcome:
    if settings.experiment:
        join(Path(settings.paths.runs), run_id, settings.experiment)
    _log.info("%s: recorded before, skipped", run_id)
    seconds = time.monotonic() - begin
    return Outcome(run_id, "skipped", seconds=seconds, message=f"recorded before in {record}")


def _train(
    settings: Settings, identity: Identity, source: Any, folder: RunFolder
) -> dict[str, Any]:
    try:
        settings = _start(settings, identity, folder)
        from robustseg.training.train import train

        measured = memory.forget_peak(settings.trainer.accelerator)
        try:
            metrics = train(settings, identity, source, folder)
        except DamagedRun as damage:
            settings = _start(settings, identity, folder, damage)
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
    )
    folder.checkpoint.unlink(missing_ok=True)
    return metrics


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
) -> Settings:
    """Find the checkpoint to resume from, or set old files aside, and write the status.

    Returns:
        The settings, with the compute threads of the attempt that is gone on from.
    """
    folder.clear_temporary()
    experiments = folder.read_status().get("experiments", [])
    dashboard_id = folder.dashboard_id
    reason = damage or _reason_to_restart(settings, folder)
    if reason:
        aside = folder.set_aside()
        dashboard_id = aside.name.removeprefix(".")
        _log.warning("%s: %s; restarts, the old run is %s", identity.run_id, reason, aside)
    status = folder.read_status()
    if folder.checkpoint.exists():
        threads = status.get("threads", settings.trainer.threads)
        settings = settings.changed(trainer=settings.trainer.changed(threads=threads))
        _log.info("%s: resumes from its last checkpoint", identity.run_id)
    else:
        _log.info("%s", identity.run_id)
    write_text(folder.config, OmegaConf.to_yaml(OmegaConf.create(settings.plain())))
    trainer = settings.trainer
    attempt = {"started": now(), "host": socket.gethostname(), "pid": os.getpid()}
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
        threads=trainer.threads,
        accelerator=trainer.accelerator,
        processor=hardware.processor(trainer.accelerator),
        precision=trainer.precision,
        attempts=[*status.get("attempts", []), attempt],
        versions={"python": platform.python_version(), **{n: _version(n) for n in _LIBRARIES}},
        commit=_commit(),
        error=None,
    )
    return settings


def _reason_to_restart(settings: Settings, folder: RunFolder) -> object:
    if _forced(settings, folder) and folder.status.exists():
        return "force=true"
    try:
        folder.check()
    except DamagedRun as damage:
        return damage
    return None


def _cause(error: BaseException) -> BaseException:
    """What a constructor raised, where Hydra tells of it in words of its own."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return error.__cause__
    return error


def _exit_code(error: Exception) -> int:
    """Whether the run failed, or its call is wrong: also what a constructor does not take."""
    cause = _cause(error)
    if isinstance(cause, UserError):
        return cause.exit_code
    refused = isinstance(error, InstantiationException) and isinstance(cause, ValueError)
    wrong = refused or isinstance(error, OmegaConfBaseException)
    return ConfigError.exit_code if wrong else UserError.exit_code


def _fail(folder: RunFolder, error: BaseException) -> None:
    """Note a failure; an interrupted run stays "running", without a live lock."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
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


def _join_experiment(folder: RunFolder, experiment: str | None) -> None:
    """A run may belong to several experiments."""
    joined = folder.read_status().get("experiments", [])
    if experiment is not None and experiment not in joined:
        folder.update_status(experiments=_with(joined, experiment))


def _with(experiments: list[str], experiment: str | None) -> list[str]:
    if experiment is None or experiment in experiments:
        return experiments
    return [*experiments, experiment]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return None


def _commit() -> str | None:
    """The project's git commit, with a + if files differ from it; None outside of git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        dirty = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.returncode else "")
