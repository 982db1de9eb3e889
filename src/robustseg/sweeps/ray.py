"""A sweep on Ray: each run a task of its own, on this machine or on a cluster."""

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn

from robustseg.errors import ConfigError, NotInstalled
from robustseg.sweeps.display import make_display
from robustseg.sweeps.jobs import HydraJob, begin, hydra_job
from robustseg.sweeps.launcher_options import amount, whole
from robustseg.sweeps.outcomes import read_outcome
from robustseg.sweeps.pool import GRACE
from robustseg.sweeps.watch import Watch

if TYPE_CHECKING:
    from hydra_plugins.robustseg_launchers.ray import RayLauncher

_log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between two looks


def launch(launcher: "RayLauncher", jobs: dict[int, list[str]]) -> list[JobReturn]:
    """Start a task for each job and wait for them.

    Raises:
        NotInstalled: there is no Ray.
        ConfigError: there is no cluster at the address, or an option is wrong.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise NotInstalled('hydra/launcher=ray needs: pip install "robustseg[ray]"') from error
    whole("num_cpus", launcher.num_cpus)
    amount("num_gpus", launcher.num_gpus, zero=True)
    sweep = begin(launcher)
    _connect(launcher)
    try:
        room = _room(launcher, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        display = make_display(len(jobs), min(max(room, 1), len(jobs)))
        watch = Watch(sweep, Path(launcher.config.paths.runs), jobs, display, launcher.token)
        task = ray.remote(_call).options(
            num_cpus=launcher.num_cpus, num_gpus=launcher.num_gpus, max_retries=0
        )
        work = ray.put(hydra_job(launcher, sweep))
        with display:
            _wait({task.remote(work, job, jobs[job]): job for job in jobs}, watch)
    finally:
        ray.shutdown()
    return watch.in_order()


def _room(launcher: "RayLauncher", nodes: list[dict[str, float]]) -> int:
    """How many runs the nodes can compute at a time.

    Raises:
        ConfigError: Ray's own instance cannot compute one; a cluster may get a node that can.
    """
    wanted = {"CPU": launcher.num_cpus, "GPU": launcher.num_gpus}
    wanted = {name: number for name, number in wanted.items() if number}
    room = sum(min(int(has.get(one, 0) / wanted[one]) for one in wanted) for has in nodes)
    if not room:
        most = {name: max((has.get(name, 0) for has in nodes), default=0) for name in wanted}
        said = ", ".join(
            f"hydra.launcher.num_{name.lower()}s={wanted[name]} (the most that a node has: "
            f"{most[name]:g})"
            for name in wanted
        )
        if not launcher.address:
            raise ConfigError(f"no run fits on this machine: {said}")
        _log.warning("No node of the cluster can take a run now: %s. The sweep waits for one", said)
    return room


def _call(work: HydraJob, job: int, overrides: list[str]) -> None:
    work(job, overrides)


def _connect(launcher: "RayLauncher") -> None:
    import ray

    if launcher.address and launcher.address != "auto":
        _knock(launcher.address)
    threads = str(launcher.num_cpus)
    variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    try:
        ray.init(
            address=launcher.address or "local",
            include_dashboard=None if launcher.address else False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            runtime_env={"env_vars": variables},
        )
    except ConnectionError as error:
        raise ConfigError(
            f"there is no Ray cluster at hydra.launcher.address={launcher.address} that lets us in "
            f"(its token, if it wants one, belongs in RAY_AUTH_TOKEN or ~/.ray/auth_token): {error}"
        ) from error


def _knock(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"there is no Ray cluster at hydra.launcher.address={address}: {error}"
        ) from error


def _wait(running: dict[Any, int], watch: Watch) -> None:
    """Until every task has ended; one whose worker dies loses its own run only."""
    import ray

    begun: set[int] = set()
    try:
        while running:
            ended, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK)
            for number in set(running.values()) - begun:
                if read_outcome(watch.sweep, number):
                    begun.add(number)
                    watch.started(number)
            for reference in ended:
                number = running.pop(reference)
                if number not in begun:
                    watch.started(number)
                watch.ended(number, _failure(reference))
            watch.tick()
    except KeyboardInterrupt:
        for reference in running:
            ray.cancel(reference)
        ray.wait(list(running), num_returns=len(running), timeout=GRACE)
        raise


def _failure(reference: Any) -> str | None:
    """Why a task failed; None if it did not."""
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return str(error.cause)
    except ray.exceptions.RayError as error:
        first = (str(error).splitlines() or [""])[0]
        return f"its worker died, perhaps out of memory ({type(error).__name__}: {first})"
    return None
