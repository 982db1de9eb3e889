import ctypes
import platform

import pytest

from robustseg.configuration import hardware


@pytest.mark.parametrize(
    ("flags", "capability", "on", "expected"),
    [
        ({"avx2"}, 0, "cpu", "32-true"),
        ({"avx512_bf16"}, 0, "cpu", "bf16-mixed"),
        ({"amx_bf16"}, 0, "cpu", "bf16-mixed"),
        (set(), 7, "gpu", "32-true"),
        (set(), 9, "gpu", "bf16-mixed"),
        ({"amx_bf16"}, 9, "tpu", "32-true"),
    ],
)
def test_precision_follows_from_processor_features(monkeypatch, flags, capability, on, expected):
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(hardware, "cuda_capability", lambda: capability)
    assert hardware.precision("auto", on) == expected
    assert hardware.precision("16-mixed", on) == "16-mixed"
    assert hardware.channels_last("auto", expected) is (expected == "bf16-mixed")
    assert hardware.channels_last(False, expected) is False


def test_a_gpu_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(hardware, "cuda_capability", lambda: 9)
    assert (hardware.accelerator("auto"), hardware.accelerator("cpu")) == ("gpu", "cpu")
    assert hardware.accelerator("cuda") == "gpu"
    monkeypatch.setattr(hardware, "cuda_capability", lambda: 0)
    assert hardware.accelerator("auto") == "cpu"


def test_threads_respect_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert hardware.threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert hardware.threads() == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert hardware.threads() == hardware.processors()


class Driver:
    """What of the CUDA driver is called, with two devices of capability 9."""

    memory = (80, 141)

    def cuInit(self, flags):
        return 0

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.memory)
        return 0

    def cuDeviceGet(self, device, number):
        device._obj.value = number
        return 0

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 9}[attribute]
        return 0

    def cuDeviceGetName(self, name, length, device):
        name.value = b"NVIDIA H200"[: length - 1]
        return 0

    def cuDeviceTotalMem_v2(self, size, device):
        size._obj.value = self.memory[device] * 2**30
        return 0


class Broken(Driver):
    def cuInit(self, flags):
        return 100  # CUDA_ERROR_NO_DEVICE


class Unreadable(Driver):
    def cuDeviceGetName(self, name, length, device):
        return 1

    def cuDeviceTotalMem_v2(self, size, device):
        return 1


@pytest.mark.parametrize(
    ("driver", "devices", "capability", "memory", "name"),
    [
        (Driver, 2, 9, 80, "NVIDIA H200"),
        (Broken, 0, 0, 0, "gpu"),
        (Unreadable, 2, 9, 0, "gpu"),
        (None, 0, 0, 0, "gpu"),
    ],
)
def test_the_driver_tells_of_its_devices(monkeypatch, driver, devices, capability, memory, name):
    def load(name):
        if driver is None:
            raise OSError(name)
        return driver()

    monkeypatch.setattr(ctypes, "CDLL", load)
    hardware._cuda.cache_clear()
    try:
        assert hardware.cuda_devices() == devices
        assert hardware.cuda_capability() == capability
        assert hardware.cuda_memory() == memory * 2**30
        assert hardware.processor("gpu") == name
    finally:
        hardware._cuda.cache_clear()


@pytest.mark.parametrize(
    ("text", "flags", "name"),
    [
        ("processor\t: 0\nmodel name\t: A B\nflags\t\t: sse avx2\n\nprocessor\t: 1\n",
         {"sse", "avx2"}, "A B"),
        ("processor\t: 0\nFeatures\t: fp asimd\n", {"fp", "asimd"}, None),
    ],
)  # fmt: skip
def test_linux_tells_of_its_processor(monkeypatch, text, flags, name):
    monkeypatch.setattr(hardware.Path, "exists", lambda path: True)
    monkeypatch.setattr(hardware.Path, "read_text", lambda path: text)
    hardware._cpuinfo.cache_clear()
    try:
        assert hardware.cpu_flags() == flags
        assert hardware.processor("cpu") == (name or platform.processor() or platform.machine())
    finally:
        hardware._cpuinfo.cache_clear()
