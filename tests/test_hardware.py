import pytest

from robustseg import hardware


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
