"""Before a sweep, each value is composed once, not each combination."""

import importlib
import itertools

from hydra import compose, initialize_config_dir
from hydra.core.plugins import Plugins
from hypothesis import given
from hypothesis import strategies as st

from hydra_plugins.robustseg_launchers import sweeper
from hydra_plugins.robustseg_launchers.sweeper import BasicSweeper, covering
from tests.conftest import CONF


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_value_is_among_few_combinations(counts):
    values = [[f"{at}={value}" for value in range(count)] for at, count in enumerate(counts)]
    batch = [list(one) for one in itertools.product(*values)]
    chosen = covering(batch)
    assert {value for one in chosen for value in one} == {value for of in values for value in of}
    assert len(chosen) == 1 + sum(count - 1 for count in counts)
    assert chosen[0] == batch[0]


def test_it_is_hydra_s_sweeper():
    Plugins.instance()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", return_hydra_config=True)
    assert config.hydra.sweeper._target_ == f"{BasicSweeper.__module__}.BasicSweeper"


def test_each_is_composed(monkeypatch):
    Plugins.instance()  # executes the module of Hydra's sweeper once more
    own = importlib.reload(sweeper).BasicSweeper
    composed = []
    monkeypatch.setattr(
        own.__mro__[2], "validate_batch_is_legal", lambda _, batch: composed.extend(batch)
    )
    batch = [["a=1", "b=1"], ["a=1", "b=2"], ["a=2", "b=1"], ["a=2", "b=2"]]
    own(None).validate_batch_is_legal(batch)
    assert composed == batch[:3]
