"""What the machine at hand can do, found without importing torch.

Precision and memory format follow from processor features, never from a timing, so that the same
machine always resolves ``auto`` to the same values: they are part of a run's identity.
"""

import ctypes
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

_COMPUTE_CAPABILITY_MAJOR = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
_AMPERE = 8  # the first CUDA architecture with bfloat16 units


@cache
def _cuda() -> tuple[Any, tuple[int, ...]]:
    """The CUDA driver and the devices that this process may use; none where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None, ()
    count, device = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return driver, ()
    devices = []
    for number in range(count.value):
        if driver.cuDeviceGet(ctypes.byref(device), number) != 0:
            return driver, ()
        devices.append(device.value)
    return driver, tuple(devices)


def cuda_capability() -> int:
    """Major compute capability of the first visible CUDA device; 0 where there is none."""
    driver, devices = _cuda()
    major = ctypes.c_int()
    if not devices or driver.cuDeviceGetAttribute(
        ctypes.byref(major), _COMPUTE_CAPABILITY_MAJOR, devices[0]
    ):
        return 0
    return major.value


def cuda_devices() -> int:
    """How many CUDA devices this process may use; 0 where there is no driver."""
    return len(_cuda()[1])


def cuda_memory() -> int:
    """Bytes of memory of the smallest CUDA device that this process may use; 0 without one."""
    driver, devices = _cuda()
    sizes = []
    for device in devices:
        size = ctypes.c_size_t()
        if driver.cuDeviceTotalMem_v2(ctypes.byref(size), device) != 0:
            return 0
        sizes.append(size.value)
    return min(sizes, default=0)


@cache
def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; nothing on other systems."""
    file = Path("/proc/cpuinfo")
    first = file.read_text().partition("\n\n")[0] if file.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def cpu_flags() -> frozenset[str]:
    """Processor feature flags as Linux lists them; empty where /proc/cpuinfo does not exist."""
    known = _cpuinfo()
    return frozenset(known.get("flags", known.get("Features", "")).split())


def processor(on: str) -> str:
    """The model of what computes, such as "NVIDIA H200".

    Args:
        on: the resolved accelerator.
    """
    if on == "cpu":
        return _cpuinfo().get("model name") or platform.processor() or platform.machine()
    driver, devices = _cuda()
    name = ctypes.create_string_buffer(256)
    if not devices or driver.cuDeviceGetName(name, len(name), devices[0]) != 0:
        return on
    return name.value.decode(errors="replace")


def accelerator(requested: str) -> str:
    """The accelerator that a requested one (``auto``, ``cpu``, ``gpu``, ``cuda``) stands for."""
    if requested == "auto":
        return "gpu" if cuda_capability() else "cpu"
    return "gpu" if requested == "cuda" else requested


def precision(requested: str, on: str) -> str:
    """Resolve ``auto`` to ``bf16-mixed`` where the processor has bfloat16 units, else ``32-true``.

    Args:
        requested: ``auto`` or any precision that Lightning knows.
        on: the resolved accelerator.
    """
    if requested != "auto":
        return requested
    has_bf16 = {
        "gpu": cuda_capability() >= _AMPERE,
        "cpu": bool({"avx512_bf16", "amx_bf16"} & cpu_flags()),
    }
    return "bf16-mixed" if has_bf16.get(on, False) else "32-true"


def channels_last(requested: bool | str, resolved_precision: str) -> bool | str:
    """Resolve ``auto`` to channels-last where it was faster: wherever bfloat16 units compute."""
    return resolved_precision.startswith("bf16") if requested == "auto" else requested


def processors() -> int:
    """Processors that this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return affinity or 1


def threads() -> int:
    """The default number of compute threads: OMP_NUM_THREADS, else all processors."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else processors()


def workers(on: str) -> int:
    """Loader processes: none on a CPU, where they would take the cores from the network."""
    return 0 if on == "cpu" else min(8, max(1, threads() - 1))
