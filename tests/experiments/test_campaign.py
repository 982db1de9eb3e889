"""The plan of a campaign against the grids of its presets."""

import importlib.util
from functools import cache
from itertools import product

import pytest
from hydra import compose, initialize_config_dir

from robustseg.data.batches.drawable import check_drawable
from tests.conftest import CONF, ROOT

spec = importlib.util.spec_from_file_location("campaign", ROOT / "experiments" / "campaign.py")
campaign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(campaign)


@cache
def grid(preset):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"+experiment={preset}"], return_hydra_config=True)
    return {key: str(values).split(",") for key, values in cfg.hydra.sweeper.params.items()}


def cells(part):
    """The cells of a part of the plan, each a set of overrides."""
    swept = grid(part.preset) | {
        key: values.split(",") for key, values in (one.split("=") for one in part.overrides)
    }
    return {frozenset(zip(swept, values, strict=True)) for values in product(*swept.values())}


TWO_SEEDS = ("tloss_why", "tloss_area")  # experiments with both seeds in one part
PRESETS = sorted({part.preset for part in campaign.plan()})


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plan_covers_the_grid_and_no_more(preset):
    everything = {
        frozenset(zip(grid(preset), v, strict=True)) for v in product(*grid(preset).values())
    }
    planned = set().union(*(cells(part) for part in campaign.plan() if part.preset == preset))
    assert planned == everything


def test_every_cell_has_a_seed_before_any_has_two():
    only = [{dict(cell)["seed"] for cell in cells(part)} == {"0"} for part in campaign.plan()]
    assert only == sorted(only, reverse=True)
    first = {part.preset for part, alone in zip(campaign.plan(), only, strict=True) if alone}
    assert first == {preset for preset in PRESETS if not preset.startswith(TWO_SEEDS)}


def test_the_method_is_tried_beside_the_main_comparison_and_before_the_other_cells():
    order = [
        (part.preset, frozenset(part.overrides))
        for part in campaign.plan()
        if part.experiment == "tloss_shenzhen_small"
    ]
    noise = {"noise.alpha=0.7,0.0", "noise.beta=0.7", "seed=0"}
    table = "tloss_shenzhen_small"
    assert order[:4] == [
        (table, frozenset({*noise, "loss=tloss,gce,mae,ce"})),
        (f"{table}_area", frozenset(noise)),
        (table, frozenset({"seed=0"})),
        (f"{table}_area", frozenset({"seed=0"})),
    ]


def test_a_data_set_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["campaign.py", "--data", str(tmp_path)])
    assert campaign.main() == 2
    assert f"no folder {tmp_path / 'histopathology'}" in capsys.readouterr().err


@pytest.mark.parametrize("preset", PRESETS)
def test_on_a_gpu_batches_are_made_where_their_transforms_can_be(preset, monkeypatch):
    monkeypatch.setattr(campaign.hardware, "accelerator", lambda wanted: "gpu")
    part = next(part for part in campaign.plan() if part.preset == preset)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "train", [f"+experiment={preset}", f"dataset.device={campaign.device_of(part)}"]
        )
    names = [transform._target_.rpartition(".")[2] for transform in cfg.augmentation.transforms]
    if cfg.dataset.device == "cuda":
        check_drawable(names)
    else:
        with pytest.raises(ValueError, match="no Sequential"):
            check_drawable(names)
