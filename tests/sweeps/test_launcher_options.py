"""Options of launchers that cannot be are refused before anything is submitted or started."""

from types import SimpleNamespace

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from hydra_plugins.robustseg_launchers.slurm import SlurmLauncher
from robustseg.configuration.messages import explain
from robustseg.errors import ConfigError
from robustseg.sweeps import ray, slurm

SLURM = {
    "timeout_min": 60,
    "cpus_per_task": 2,
    "mem_gb": 0.5,
    "max_num_timeout": 0,
    "options": {"array_parallelism": 1},
}


def test_options_that_can_be_are_taken():
    slurm._check(SimpleNamespace(**SLURM))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("timeout_min", "day", "a whole number of minutes over 10"),
        ("timeout_min", 10, "a whole number of minutes over 10"),
        ("cpus_per_task", 0, "a whole number ≥ 1"),
        ("cpus_per_task", 1.5, "a whole number ≥ 1"),
        ("max_num_timeout", -1, "a whole number ≥ 0"),
        ("mem_gb", "8G", "a number > 0"),
        ("mem_gb", 0, "a number > 0"),
        ("array_parallelism", 0, "a whole number ≥ 1"),
        ("array_parallelism", "all", "a whole number ≥ 1"),
    ],
)
def test_an_option_of_slurm_that_cannot_be(name, value, rule):
    given = SLURM | {name: value}
    given["options"] = given["options"] | ({name: value} if name in given["options"] else {})
    said = f"hydra.launcher.{name}={value} is out of range: it must be {rule}"
    with pytest.raises(ConfigError, match=f"^{said}"):
        slurm._check(SimpleNamespace(**given))


def test_setup_is_a_list():
    with pytest.raises(ConfigError, match=r"'hydra\.launcher\.setup=\[module load cuda\]'"):
        SlurmLauncher(60, 2, 8, 20, "module load cuda")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("num_cpus", 0, "a whole number ≥ 1"),
        ("num_cpus", "all", "a whole number ≥ 1"),
        ("num_gpus", -1, "a number ≥ 0"),
        ("num_gpus", float("nan"), "a number ≥ 0"),
        ("num_gpus", True, "a number ≥ 0"),
    ],
)
def test_an_option_of_ray_that_cannot_be(name, value, rule):
    pytest.importorskip("ray")
    launcher = SimpleNamespace(**({"num_cpus": 1, "num_gpus": 0} | {name: value}))
    said = f"hydra.launcher.{name}={value} is out of range: it must be {rule}"
    with pytest.raises(ConfigError, match=f"^{said}$"):
        ray.launch(launcher, {0: []})


@pytest.mark.parametrize(
    ("launcher", "option", "said"),
    [
        ("local.LocalLauncher", "njobs", "did you mean n_jobs?"),
        ("local.LocalLauncher", "zzz", "there are: jobs_per_gpu, n_jobs"),
        ("basic.BasicLauncher", "n_jobs", "it has none"),
    ],
)
def test_an_option_that_a_launcher_lacks_is_named(launcher, option, said):
    target = f"hydra_plugins.robustseg_launchers.{launcher}"
    with pytest.raises(InstantiationException) as refused:
        instantiate({"_target_": target, option: 2})
    assert str(explain(refused.value)) == f"hydra.launcher has no option {option}; {said}"
