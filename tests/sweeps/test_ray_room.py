"""Whether Ray's nodes can take a run; a real Ray is in tests/integration/engines."""

import pytest

from hydra_plugins.robustseg_launchers.ray import RayLauncher
from robustseg.errors import ConfigError
from robustseg.sweeps.ray import _room

NODES = [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 4.0}, {"CPU": 1.0, "GPU": 2.0}]


@pytest.mark.parametrize(
    ("num_cpus", "num_gpus", "room"), [(1, 0, 13), (2, 0, 6), (1, 0.5, 3), (2, 1, 1), (8, 0, 1)]
)
def test_runs_at_a_time_are_those_that_fit_on_the_nodes(num_cpus, num_gpus, room):
    assert _room(RayLauncher("auto", num_cpus, num_gpus), NODES) == room


@pytest.mark.parametrize(("num_cpus", "num_gpus"), [(9, 0), (1, 3), (8, 2)])
def test_a_request_that_no_node_can_meet_is_refused_or_told(num_cpus, num_gpus, caplog):
    with pytest.raises(ConfigError, match=f"num_cpus={num_cpus} .the most that a node has: 8"):
        _room(RayLauncher(None, num_cpus, num_gpus), NODES)
    assert _room(RayLauncher("auto", num_cpus, num_gpus), NODES) == 0
    assert "No node of the cluster can take a run now" in caplog.text
