"""Where the runs of a sweep are computed: processors and GPUs shared out among processes."""

import os
from collections.abc import Mapping

from robustseg.configuration import hardware
from robustseg.sweeps.launcher_options import whole

_MEMORY = 8 * 2**30  # of a GPU for one run; small ones took 0.75 GiB each on an H200
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def places(
    n_jobs: int | str, jobs_per_gpu: int | str, accelerator: str, threads: int | str
) -> list[dict[str, str]]:
    """Environment variables of each process.

    Every process gets an equal share of the processors (at least one), unless OMP_NUM_THREADS is
    set already, and one GPU, in turn, where runs use one.

    Args:
        n_jobs: processes, or "auto": as many as processors (divided by `threads`, if that is a
            number), or `jobs_per_gpu` times the number of GPUs.
        jobs_per_gpu: processes on one GPU, for "auto" of `n_jobs`; or "auto" itself: one for each
            8 GiB of its memory, but no more than its share of the processors.
        accelerator: as in `trainer.accelerator`.
        threads: as in `trainer.threads`.

    Raises:
        ConfigError: a number is below 1.
    """
    if jobs_per_gpu != "auto":
        whole("jobs_per_gpu", jobs_per_gpu)
    gpus = visible_gpus() if hardware.accelerator(accelerator) == "gpu" else []
    processors = hardware.processors()
    if n_jobs == "auto":
        each = threads if isinstance(threads, int) else 1
        if gpus and jobs_per_gpu == "auto":
            jobs_per_gpu = _jobs_per_gpu(processors // len(gpus))
        n_jobs = len(gpus) * int(jobs_per_gpu) if gpus else max(1, processors // each)
    n_jobs = whole("n_jobs", n_jobs)
    share = os.environ.get("OMP_NUM_THREADS", str(max(1, processors // n_jobs)))
    common = dict.fromkeys(_THREADS, share)
    return [{**common, **_gpu(gpus, number)} for number in range(n_jobs)]


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES gives them."""
    count = hardware.cuda_devices()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [str(number) for number in range(count)] if named is None else named.split(",")
    return names[:count]


def _jobs_per_gpu(processors: int) -> int:
    """A small network keeps a processor busy long before it does a GPU."""
    return max(1, min(processors, hardware.cuda_memory() // _MEMORY))


def _gpu(gpus: list[str], number: int) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
