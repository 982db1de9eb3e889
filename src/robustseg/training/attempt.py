"""One attempt at a run: resumed or from the start, under noted conditions, until it is done."""

import logging
import os
import socket
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from robustseg.errors import DamagedRun, OtherConditions
from robustseg.runs.files import read_csv, write_text
from robustseg.runs.finished import check_resumable
from robustseg.runs.folder import RunFolder, now
from robustseg.runs.identity import SCHEMA, Identity
from robustseg.runs.labels import labels
from robustseg.settings import Settings
from robustseg.sweeps import interrupts
from robustseg.sweeps.sweep import called, sweep_token
from robustseg.training import memory
from robustseg.training.conditions import conditions, differences
from robustseg.training.failure import note_failure

_log = logging.getLogger(__name__)


def attempt_run(
    settings: Settings, identity: Identity, source: Any, folder: RunFolder
) -> tuple[dict[str, Any], list[str]]:
    """The final numbers, and what differs from the conditions of the attempt before."""
    try:
        asked = settings
        settings, differs = _start(asked, identity, folder)
        from robustseg.training.train import train

        measured = memory.forget_peak(settings.trainer.accelerator)
        try:
            metrics = train(settings, identity, source, folder)
        except DamagedRun as damage:
            interrupts.stop_if_lost()
            settings, differs = _start(asked, identity, folder, damage)
            metrics = train(settings, identity, source, folder)
    except BaseException as error:
        interrupts.stop_if_lost()  # then that is the cause
        note_failure(folder, error)
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

    Processor seconds are those of the process's threads, training and evaluation together: what
    other programs on the machine do hardly changes them. They are left out if an epoch has none,
    as those of older versions; the memory unless it was measured for this run alone.
    """
    rows = read_csv(folder.epochs)
    used = [row["processor_seconds"] for row in rows if "processor_seconds" in row]
    evaluation = sum(row.get("evaluation_seconds", 0) for row in rows)
    return {
        "train_seconds": round(sum(row["seconds"] for row in rows) - evaluation, 3),
        "evaluation_seconds": round(evaluation, 3),
        **({"processor_seconds": round(sum(used), 3)} if len(used) == len(rows) else {}),
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
        threads = status.get("threads", settings.trainer.threads)
        settings = settings.changed(trainer=settings.trainer.changed(threads=threads))
        differs = changed_conditions(settings, status, "was resumed")
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
        experiments=with_experiment(experiments, settings.experiment),
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
    if is_forced(settings, folder) and folder.status.exists():
        return "force=true"
    try:
        check_resumable(folder, identity)
    except DamagedRun as damage:
        return damage
    return None


def is_forced(settings: Settings, folder: RunFolder) -> bool:
    """Whether the run must restart: once in a sweep, also if its job is requeued."""
    sweep = sweep_token()
    return settings.force and (sweep is None or folder.read_status().get("forced_by") != sweep)


def changed_conditions(settings: Settings, status: dict[str, Any], what: str) -> list[str]:
    """What differs now from a run's last attempt.

    Raises:
        OtherConditions: it differs, and strict=true.
    """
    attempts = status.get("attempts") or [{}]
    then = attempts[-1] if "versions" in attempts[-1] else status
    found = differences({"threads": status.get("threads"), **then}, conditions(settings))
    if found and settings.strict:
        raise OtherConditions(
            f"strict=true: it {sentence(what, found)}. Restore them, train it again with "
            "force=true, or leave out strict=true"
        )
    return found


def sentence(what: str, differs: list[str]) -> str:
    """What differs, in words; "" if nothing does."""
    return f"{what} under other conditions: {'; '.join(differs)}" if differs else ""


def with_experiment(experiments: list[str], experiment: str | None) -> list[str]:
    """Names of experiments and one more, if it is not among them."""
    if experiment is None or experiment in experiments:
        return experiments
    return [*experiments, experiment]
