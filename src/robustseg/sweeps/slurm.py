"""A sweep on a Slurm cluster: each run a job of its own, through submitit."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn

from robustseg.errors import ConfigError, NotInstalled
from robustseg.sweeps import interrupts
from robustseg.sweeps.display import make_display
from robustseg.sweeps.jobs import HydraJob, begin, hydra_job
from robustseg.sweeps.launcher_options import amount, out_of_range, whole
from robustseg.sweeps.outcomes import read_outcome
from robustseg.sweeps.watch import Watch

if TYPE_CHECKING:
    from hydra_plugins.robustseg_launchers.slurm import SlurmLauncher

_LOOK = 1.0  # seconds between two looks for results
_ASK = 10.0  # seconds between two questions to Slurm
_ENDED = {
    *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE", "PREEMPTED"),
    *("OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "REVOKED"),
}
_KILLED = ("0:9", "137:0")  # exit codes of a job that got signal 9, as Slurm and its shell write it


def launch(launcher: "SlurmLauncher", jobs: dict[int, list[str]]) -> list[JobReturn]:
    """Submit the jobs and wait for them.

    Interrupted, the launcher cancels its jobs; killed, it leaves them to Slurm.

    Raises:
        NotInstalled: there is no submitit.
        ConfigError: there is no Slurm, an option is wrong, or Slurm refuses the jobs.
    """
    sweep = begin(launcher)
    work = SlurmJob(hydra_job(launcher, sweep))
    executor = _executor(launcher, sweep)
    display = make_display(len(jobs), min(len(jobs), executor.parameters["array_parallelism"]))
    watch = Watch(sweep, Path(launcher.config.paths.runs), jobs, display, launcher.token)
    submitted: dict[int, Any] = {}
    try:
        with interrupts.later():  # lest jobs be left without a name
            submitted = _submit(executor, work, jobs)
        with display:
            _wait(submitted, watch)
    except KeyboardInterrupt:
        if submitted:
            _cancel([job.job_id for job in submitted.values()])
        raise
    return watch.in_order()


class SlurmJob:
    """What a job calls; when it is preempted, the same call is queued again.

    Args:
        work: runs a job of the sweep.
    """

    def __init__(self, work: HydraJob) -> None:
        self.work = work

    def __call__(self, job: int, overrides: Sequence[str]) -> None:
        """Run a job of the sweep; it ends in good order when Slurm asks it to."""
        signal.signal(signal.SIGTERM, _end)
        os.register_at_fork(after_in_child=_leave_preemption_to_the_parent)
        self.work(job, overrides)

    def checkpoint(self, job: int, overrides: Sequence[str]) -> Any:
        """What submitit queues again; the run's own checkpoint is in its folder."""
        from submitit.helpers import DelayedSubmission

        _hear_no_more()
        return DelayedSubmission(self, job, overrides)


def _end(number: int, frame: Any) -> None:
    """Slurm cancels the job, or queues it again."""
    _hear_no_more()
    interrupts.interrupt(KeyboardInterrupt)


def _hear_no_more() -> None:
    """End in good order, whatever else Slurm sends; the run has not failed.

    It signals the loader's processes too, and PyTorch makes an error of their death.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)


def _leave_preemption_to_the_parent() -> None:
    """Else each of the loader's processes would queue the job again."""
    from submitit import JobEnvironment

    signal.signal(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"), signal.SIG_IGN)


def _executor(launcher: "SlurmLauncher", sweep: Path) -> Any:
    _check(launcher)
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise NotInstalled('hydra/launcher=slurm needs: pip install "robustseg[slurm]"') from error
    # Requeuable whatever the cluster's default; a flag that is false is left out.
    more = {"requeue": True, **(launcher.options.get("additional_parameters") or {})}
    more = {name: value for name, value in more.items() if value is not False}
    cpus = launcher.cpus_per_task
    threads = os.environ.get("OMP_NUM_THREADS", str(cpus))
    try:
        executor = submitit.SlurmExecutor(
            sweep / "slurm" / "%j", max_num_timeout=launcher.max_num_timeout
        )
        executor.update_parameters(
            job_name=launcher.config.experiment_name or "robustseg",
            time=launcher.timeout_min,
            mem=f"{launcher.mem_gb * 1024:.0f}MB",
            cpus_per_task=cpus,
            setup=[
                f"export OMP_NUM_THREADS={threads}",
                f"export SRUN_CPUS_PER_TASK={cpus}",  # Slurm 22.05 to 23.02 gives a step one
                *launcher.setup_commands,
            ],
            **launcher.options | {"additional_parameters": more},
        )
    except (RuntimeError, ValueError) as error:  # no srun; an option that sbatch does not know
        raise ConfigError(f"hydra/launcher=slurm: {error}") from error
    return executor


def _check(launcher: "SlurmLauncher") -> None:
    """Raise ConfigError if an option is of no use to sbatch, which would say less of it."""
    minutes = launcher.timeout_min
    if not isinstance(minutes, int) or minutes <= 10:
        why = "since submitit takes a signal in the last ten, or the last fifth, for the time limit"
        raise out_of_range("timeout_min", minutes, f"a whole number of minutes over 10, {why}")
    whole("cpus_per_task", launcher.cpus_per_task)
    whole("max_num_timeout", launcher.max_num_timeout, least=0)
    whole("array_parallelism", launcher.options.get("array_parallelism"))
    amount("mem_gb", launcher.mem_gb)


def _submit(executor: Any, work: SlurmJob, jobs: dict[int, list[str]]) -> dict[int, Any]:
    """One array of all jobs; submitit's of each, by number."""
    from submitit.core.utils import FailedJobError

    try:
        return dict(zip(jobs, executor.map_array(work, jobs.keys(), jobs.values()), strict=True))
    except FailedJobError as error:  # such as a partition or an account that there is not
        said = "; ".join(line.removeprefix("sbatch: ") for line in str(error).splitlines())
        raise ConfigError(f"hydra/launcher=slurm: sbatch submits nothing: {said}") from error


def _wait(submitted: dict[int, Any], watch: Watch) -> None:
    """Until every job has ended, by its own word or by Slurm's."""
    waiting, begun = dict(submitted), set[int]()
    missed, missing = set[int](), set[int]()  # by Slurm's answer before the last, and the last
    asked = time.monotonic()
    while waiting:
        time.sleep(_LOOK)
        if asking := time.monotonic() - asked >= _ASK:
            asked = time.monotonic()
            known = queued([job.job_id for job in waiting.values()])
            missed = missing if known is not None else set()
            missing = {
                n for n, job in waiting.items() if known is not None and job.job_id not in known
            }
        for number, job in list(waiting.items()):
            if number not in begun and read_outcome(watch.sweep, number):
                begun.add(number)
                watch.started(number)
            if job.paths.result_pickle.exists():
                failure = _failure(job)
            elif asking and number in missed & missing:  # twice running: no result is on its way
                failure = f"Slurm ended job {job.job_id} ({cause(job.job_id)})"
            else:
                continue
            del waiting[number]
            if number not in begun:
                watch.started(number)
            watch.ended(number, failure)
        watch.tick()


def _failure(job: Any) -> str | None:
    """What a job that has left a result raised; None if nothing."""
    error = job.exception()
    if error is None:
        return None
    trace = str(error).split("-" * 22)  # submitit puts the traceback between two rules
    return (trace[1] if len(trace) > 2 else str(error)).strip().splitlines()[-1]


def queued(job_ids: Sequence[str]) -> set[str] | None:
    """Which of some jobs Slurm still has to run, or runs; None if it does not answer."""
    arrays = sorted({job_id.partition("_")[0] for job_id in job_ids})
    answer = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i %T", "--jobs", ",".join(arrays)],
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        # All are gone, and forgotten; or the controller is away for a while.
        return set() if "Invalid job id" in answer.stderr else None
    lines = (line.split() for line in answer.stdout.splitlines())
    return {job_id for job_id, state in lines if state not in _ENDED}


def cause(job_id: str) -> str:
    """Slurm's word on why a job ended, such as ``FAILED, exit code 0:9``."""
    answer = subprocess.run(["scontrol", "show", "job", job_id], capture_output=True, text=True)
    words = dict(word.split("=", 1) for word in answer.stdout.split() if "=" in word)
    if "JobState" not in words:
        return "it no longer says why"
    code = words.get("ExitCode", "")
    memory = ", killed, perhaps out of memory" if code in _KILLED else ""
    return f"{words['JobState']}, exit code {code}{memory}"


def _cancel(job_ids: Sequence[str]) -> None:
    """Tell the jobs to end; each notes how far it is."""
    subprocess.run(["scancel", *job_ids], check=False)
    deadline = time.monotonic() + 30
    while queued(job_ids) and time.monotonic() < deadline:
        time.sleep(1)
