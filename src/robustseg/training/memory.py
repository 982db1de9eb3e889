"""Peak memory of a run."""

import resource
import sys
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak(accelerator: str) -> bool:
    """Let `peak_mb` count from now: a process may train several runs in turn.

    Args:
        accelerator: "cpu" or "gpu".

    Returns:
        Whether the count restarts. If not, the peak may be that of an earlier run of the process.
    """
    if accelerator == "gpu":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        _RESET.write_text("5")
    except OSError:  # not Linux, or a container that forbids it
        return False
    return True


def peak_mb(accelerator: str) -> float:
    """Peak memory in MiB: of a GPU what its tensors took, else what the process had resident.

    Args:
        accelerator: "cpu" or "gpu".
    """
    if accelerator == "gpu":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    if _STATUS.exists():
        words = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        if "VmHWM" in words:
            return int(words["VmHWM"].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
