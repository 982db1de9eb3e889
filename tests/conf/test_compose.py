"""Every configuration composes and fits what it builds."""

import os
import pwd
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from robustseg.configuration.buildable import check_targets
from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"
GROUPS = sorted(f.name for f in CONF.iterdir() if f.is_dir() and f.name != "hydra")
CHOICES = [
    (group, file.stem)
    for group in GROUPS
    if group != "experiment"
    for file in sorted((CONF / group).glob("*.yaml"))
]
# Presets whose runs belong to an experiment of another name.
PARTS = {
    "tversky_histopathology_small_positive": "tversky_histopathology_small",
    **{f"tloss_why_{change}": "tloss_why" for change in ("types", "decay", "crops")},
    **{
        f"tloss_{data}_small_{part}": f"tloss_{data}_small"
        for data in ("isic2017", "shenzhen")
        for part in ("area", "more")
    },
    **{
        f"tloss_area_{part}": "tloss_area"
        for part in ("clean", "types", "annotators", "panel", "models", "draw")
    },
}
NUMBER = re.compile(r"[-\d.e]+")
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))


def test_the_help_ends_with_where_the_meaning_of_each_setting_is():
    footer = OmegaConf.load(CONF / "hydra" / "help" / "robustseg.yaml").footer
    assert "src/robustseg/settings.py" in footer
    assert (CONF.parent / "src" / "robustseg" / "settings.py").is_file()


def composed(*overrides, with_hydra=False):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=with_hydra)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_fits_what_it_builds(group, choice):
    config = resolve(composed(f"{group}={choice}"))
    check_targets(config)
    own = OmegaConf.load(CONF / group / f"{choice}.yaml")
    # A variant has the name of what it varies, or its own: then it is another row of a table.
    assert getattr(config, group).name == (choice if "name" in own else own.defaults[0])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_cell_of_an_experiment_composes(experiment):
    cfg = composed(f"+experiment={experiment}", with_hydra=True)
    assert cfg.hydra.mode.name == "MULTIRUN"
    whole = PARTS.get(experiment, experiment)
    assert cfg.experiment_name == whole
    grid = {key: str(values).split(",") for key, values in cfg.hydra.sweeper.params.items()}
    first = {key: values[0] for key, values in grid.items()}
    others = [
        first | {key: value}
        for key, values in grid.items()
        for value in values[1:]
        if not NUMBER.fullmatch(value)  # each is set in tests/runs/test_preset_ids.py
    ]
    for cell in (first, *others):
        overrides = [f"{key}={value}" for key, value in cell.items()]
        check_targets(resolve(composed(f"+experiment={experiment}", *overrides)))


def test_the_promised_names_are_there():
    config = composed("loss=dice")
    for name in (
        "noise.alpha noise.beta noise.seed seed loss.domain loss.smooth trainer.max_epochs "
        "trainer.max_steps dataset.root dataset.batch_size dataset.image_size dataset.subset "
        "paths.runs force"
    ).split():
        assert OmegaConf.select(config, name, throw_on_missing=True, default="absent") != "absent"
    assert (config.noise.seed, config.noise.beta) == (0, 0.5)


def test_the_cache_is_where_the_environment_says_or_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("ROBUSTSEG_CACHE", raising=False)
    assert composed().paths.cache == "/home/me/.cache/robustseg"
    monkeypatch.setenv("ROBUSTSEG_CACHE", "/scratch")
    assert composed().paths.cache == "/scratch"


def test_a_cache_needs_no_home_where_the_environment_names_it(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("ROBUSTSEG_CACHE", "/scratch")
    assert resolve(composed()).paths.cache == "/scratch"
    monkeypatch.delenv("ROBUSTSEG_CACHE")
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert resolve(composed()).paths.cache == f"{home}/.cache/robustseg"


@pytest.mark.parametrize("cache", ["", "~nobody-of-this-name/cache"])
def test_a_cache_that_cannot_be(monkeypatch, cache):
    monkeypatch.setenv("ROBUSTSEG_CACHE", cache)
    with pytest.raises(ConfigError, match=r"paths.cache=.*Set ROBUSTSEG_CACHE"):
        resolve(composed())


def test_the_default_is_small_enough_for_a_cpu():
    config = composed()
    assert (config.dataset.name, config.dataset.image_size) == ("synthetic", 64)
    assert config.model.name == "nnunet_tiny"
