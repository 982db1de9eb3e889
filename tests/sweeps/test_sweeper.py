"""Before a sweep, each value is composed once, not each combination."""

import importlib
import itertools
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hydra_plugins.robustseg_launchers import sweeper
from hydra_plugins.robustseg_launchers.local import LocalLauncher
from hydra_plugins.robustseg_launchers.ray import RayLauncher
from hydra_plugins.robustseg_launchers.slurm import SlurmLauncher
from hydra_plugins.robustseg_launchers.sweeper import BasicSweeper, covering
from robustseg.errors import ConfigError, DataError, OptionError
from tests.conftest import CONF


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_value_is_among_few_combinations(counts):
    values = [[f"{at}=v{value}" for value in range(count)] for at, count in enumerate(counts)]
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
    monkeypatch.setattr(own, "_check_data", lambda _, batch: None)
    batch = [["a=x", "b=x"], ["a=x", "b=y"], ["a=y", "b=x"], ["a=y", "b=y"]]
    own(None).validate_batch_is_legal(batch)
    assert composed == batch[:3]


@pytest.fixture
def checked(monkeypatch):
    """A function that gives the combinations of a batch that are composed, as Hydra does it."""
    Plugins.instance()
    own = importlib.reload(sweeper).BasicSweeper
    composed = []

    def note(self, batch):
        composed.extend(batch)
        return real(self, batch)

    real = own.__mro__[2].validate_batch_is_legal
    monkeypatch.setattr(own.__mro__[2], "validate_batch_is_legal", note)

    def check(batch, launcher=None):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            made = own(None)
            made.config = compose("train", return_hydra_config=True)
            made.hydra_context = HydraContext(config_loader=loader, callbacks=Callbacks())
            made.launcher = launcher
            made.validate_batch_is_legal(batch)
        return composed

    return check


def test_of_the_numbers_of_a_setting_one_is_composed(checked):
    axes = [["loss=gce", "loss=mae"], [f"noise.alpha=0.{n}" for n in range(10)],
            [f"seed={n}" for n in range(50)]]  # fmt: skip
    batch = [list(one) for one in itertools.product(*axes)]
    assert checked(batch) == [batch[0], batch[500]]


@pytest.mark.parametrize("wrong", ["sed", "noise.alhpa", "loss"])
def test_a_typo_beside_a_thousand_numbers_is_refused(checked, wrong):
    batch = [[f"{wrong}={n}", f"seed={n % 7}"] for n in range(1000)]
    with pytest.raises((HydraException, ValueError)):  # the latter: the name of a choice
        checked(batch)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "noise.alpha=1.7",
            r"^noise\.alpha=1\.7 is out of range: it must be a number from 0 to 1$",
        ),
        ("++noise.alpha=1.7", r"^noise\.alpha=1\.7 is out of range"),
        (
            "noise.alpha=[0.3,0.5]",
            r"^noise\.alpha=.*To train with each: -m noise\.alpha=0\.3,0\.5$",
        ),
        ("seed=-1", r"^seed=-1 is out of range"),
        ("optimizer.lr=0", r"^optimizer\.lr=0 is out of range"),
        ("loss.name=null", r"^loss\.name=None must be text$"),
        ("trainer.accelerator=tpu", r"^trainer\.accelerator=tpu must be one of cpu, gpu, or auto$"),
    ],
)
def test_a_value_out_of_range_is_refused_before_any_run(checked, value, said):
    with pytest.raises(ConfigError, match=said):
        checked([["loss=mae", "noise.alpha=0.3"], ["loss=mae", value]])


def test_values_that_a_run_resolves_or_its_classes_check_are_left_to_it(checked):
    values = [
        "trainer.accelerator=cuda", "trainer.threads=auto", "trainer.precision=auto",
        "seed=${noise.seed}", "loss.log_nu=7", "+optimizer.betas=[0.9,0.99]", "~model.features",
        "dataset.train_size=null", 'experiment_name="a b"', "dataset.classes=[a,b]",
        "+dataset.source.values={80: a, 160: b}", "records=[]", "minutes=null",
    ]  # fmt: skip
    checked([values])


def test_a_data_set_without_a_folder_is_refused_once(checked, tmp_path):
    losses = ["loss=gce", "loss=mae"]
    with pytest.raises(OptionError, match=r"dataset\.root is not set"):
        checked([["dataset=isic2017", loss] for loss in losses])
    gone = tmp_path / "gone"
    batch = [["dataset=isic2017", f"dataset.root={gone}", loss] for loss in losses]
    with pytest.raises(DataError, match=f"{gone}: no such folder"):
        checked(batch)
    gone.mkdir()
    with pytest.raises(DataError, match=f"{gone}"):
        checked(batch)


def test_files_that_make_no_data_set_are_refused_before_any_run(checked, tmp_path):
    for folder, stems in (("images", "abcdefghij"), ("masks", "abcdefghi")):
        (tmp_path / folder).mkdir()
        for stem in stems:
            Image.new("L", (8, 8)).save(tmp_path / folder / f"{stem}.png")
    call = ["dataset=folder", f"dataset.root={tmp_path}", "model=nnunet_tiny"]
    batch = [[*call, loss] for loss in ("loss=gce", "loss=mae")]
    with pytest.raises(DataError, match=r"masks: no mask for 1 of 10 images \(j\.\*\)"):
        checked(batch)
    # Left to the run: others may be in order, and only a run knows its choices.
    for override in ("dataset.fold=0", "experiment_name='${hydra:runtime.choices.loss}'"):
        assert [*call, override] in checked([[*call, override]])
    (tmp_path / "images" / "j.png").unlink()
    assert batch[0] in checked(batch)
    (tmp_path / "split.csv").write_text("".join(["id,split\n", *(f"{s},train\n" for s in "abc")]))
    with pytest.raises(DataError, match=r"the split 'test' is empty\. Add images to it$"):
        checked(batch)


def test_a_folder_may_be_on_the_machines_of_a_cluster_only(checked, tmp_path):
    cluster = SimpleNamespace(elsewhere=True)
    batch = [["dataset=isic2017", f"dataset.root={tmp_path / 'there'}"]]
    assert batch[0] in checked(batch, cluster)
    with pytest.raises(OptionError, match="is not set"):
        checked([["dataset=isic2017"]], cluster)
    assert (SlurmLauncher.elsewhere, RayLauncher.elsewhere, LocalLauncher.elsewhere) == (
        True, True, False
    )  # fmt: skip


def test_each_data_set_of_a_sweep_is_looked_for(checked, tmp_path):
    batch = [["dataset=synthetic", "seed=0"], ["dataset=shenzhen", f"dataset.root={tmp_path}/no"]]
    with pytest.raises(DataError, match="no such folder"):
        checked(batch)
