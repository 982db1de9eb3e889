import pytest

from robustseg.configuration import hardware
from robustseg.errors import ConfigError
from robustseg.sweeps.places import places


@pytest.fixture
def machine(monkeypatch):
    def of(processors, gpus=0, visible=None, threads=None, memory=0):
        monkeypatch.setattr(hardware, "processors", lambda: processors)
        monkeypatch.setattr(hardware, "cuda_devices", lambda: gpus)
        monkeypatch.setattr(hardware, "cuda_capability", lambda: 9 if gpus else 0)
        monkeypatch.setattr(hardware, "cuda_memory", lambda: memory * 2**30)
        for name, value in (("CUDA_VISIBLE_DEVICES", visible), ("OMP_NUM_THREADS", threads)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    return of


@pytest.mark.parametrize(
    ("n_jobs", "threads", "wanted", "share"),
    [("auto", "auto", 8, "1"), (2, "auto", 2, "4"), (3, "auto", 3, "2"), (20, "auto", 20, "1"),
     ("auto", 4, 2, "4"), ("auto", 16, 1, "8")],
)  # fmt: skip
def test_processors_are_shared_out(machine, n_jobs, threads, wanted, share):
    machine(8)
    given = places(n_jobs, 1, "auto", threads)
    assert len(given) == wanted
    assert {place["OMP_NUM_THREADS"] for place in given} == {share}
    assert not any("CUDA_VISIBLE_DEVICES" in place for place in given)


def test_a_number_of_threads_that_was_set_outside_is_kept(machine):
    machine(8, threads="1")
    assert {place["OMP_NUM_THREADS"] for place in places(2, 1, "cpu", "auto")} == {"1"}


@pytest.mark.parametrize(
    ("n_jobs", "per_gpu", "visible", "wanted"),
    [("auto", 1, None, ["0", "1", "2"]), ("auto", 2, None, ["0", "1", "2", "0", "1", "2"]),
     (4, 1, None, ["0", "1", "2", "0"]), ("auto", 1, "5,6,GPU-7", ["5", "6", "GPU-7"])],
)  # fmt: skip
def test_runs_are_spread_over_the_gpus(machine, n_jobs, per_gpu, visible, wanted):
    machine(16, gpus=3, visible=visible)
    given = places(n_jobs, per_gpu, "auto", "auto")
    assert [place["CUDA_VISIBLE_DEVICES"] for place in given] == wanted


@pytest.mark.parametrize(
    ("processors", "gpus", "memory", "wanted"),
    [(16, 1, 139, 16), (32, 1, 79, 9), (32, 4, 79, 32), (8, 1, 6, 1), (2, 4, 79, 4)],
)
def test_auto_packs_a_gpu_by_its_memory_and_the_processors(
    machine, processors, gpus, memory, wanted
):
    machine(processors, gpus=gpus, memory=memory)
    given = places("auto", "auto", "auto", "auto")
    assert len(given) == wanted
    assert {place["CUDA_VISIBLE_DEVICES"] for place in given} == {str(n) for n in range(gpus)}


def test_runs_on_the_cpu_leave_the_gpus_alone(machine):
    machine(4, gpus=2)
    given = places("auto", 1, "cpu", "auto")
    assert len(given) == 4
    assert not any("CUDA_VISIBLE_DEVICES" in place for place in given)


@pytest.mark.parametrize(
    ("n_jobs", "per_gpu"), [(0, 1), ("many", 1), (2.5, 1), (True, 1), (1, 0), (1, "all")]
)
def test_a_number_that_cannot_be_is_refused(machine, n_jobs, per_gpu):
    machine(2)
    with pytest.raises(ConfigError, match="whole number"):
        places(n_jobs, per_gpu, "auto", "auto")
