"""Settings: the models and the files of conf/ say the same, and what is read is written again."""

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError
from robustseg.runs.checked import check_setting, settings_of
from robustseg.setting_groups import Part, group_of, must_be, own_settings, rules
from robustseg.settings import Settings
from tests.conftest import CONF

GROUPS = {name: group_of(Settings, name) for name in Settings.model_fields}
FILES = [
    (group, file)
    for group in GROUPS
    for file in sorted((CONF / group).glob("*.yaml"))
    if not yaml.safe_load(file.read_text()).get("defaults")  # a variant of another file
]


@pytest.mark.parametrize(("group", "file"), FILES, ids=lambda of: getattr(of, "stem", of))
def test_a_file_gives_every_setting_of_its_group_and_no_other(group, file):
    kind, given = GROUPS[group], set(yaml.safe_load(file.read_text()))
    if issubclass(kind, Part):  # some have settings of their own
        assert "name" in given
        assert not any(key.startswith("_") for key in given - set(rules(kind)))
    else:
        assert given == set(rules(kind))


@pytest.mark.parametrize("group", [name for name, kind in GROUPS.items() if kind])
def test_a_setting_of_a_part_is_in_some_file(group):
    kind = GROUPS[group]
    files = [file for of, file in FILES if of == group]
    if files:
        given = set().union(*(yaml.safe_load(file.read_text()) for file in files))
        assert set(rules(kind)) <= given


def test_train_yaml_gives_every_setting_outside_of_the_groups():
    given = yaml.safe_load((CONF / "train.yaml").read_text())
    listed = {group for entry in given["defaults"] if isinstance(entry, dict) for group in entry}
    own = set(given) - {"defaults", "hydra"}
    assert own | {name for name in listed if "override" not in name} == set(rules(Settings))
    for name in ("evaluation", "paths"):
        assert set(given[name]) == set(rules(GROUPS[name]))


def kinds(kind):
    yield kind
    for name in rules(kind):
        inner = group_of(kind, name)
        if inner is not None:
            yield from kinds(inner)


def test_every_setting_says_what_it_means_and_what_it_must_be():
    for kind in set(kinds(Settings)):
        for field in kind.model_fields.values():
            assert must_be(field) if field.alias is None else True
        assert all(rule.text for rule in rules(kind).values())


def test_own_settings_are_kept_from_what_is_built(tiny):
    settings = resolve(tiny("loss=tloss"))
    assert own_settings(type(settings.loss)) == {"name", "parameter_lr"}
    assert set(settings.loss.arguments()) == {"_target_", "log_nu", "learn", "log_precision"}
    assert not resolve(tiny("scheduler=none")).scheduler.is_built


def test_settings_are_written_as_they_were_composed(tiny):
    cfg = tiny("noise.alpha=1", "+optimizer.betas=[0.9,0.99]", "trainer.precision=32-true")
    for key in ("accelerator", "channels_last"):
        cfg.trainer[key] = {"accelerator": "cpu", "channels_last": False}[key]
    cfg.dataset.num_workers = 0
    before = OmegaConf.to_container(cfg, resolve=True)
    text = OmegaConf.to_yaml(OmegaConf.create(resolve(cfg).plain()))
    assert text == OmegaConf.to_yaml(OmegaConf.create(before))
    assert "alpha: 1\n" in text  # not 1.0


def test_what_is_read_again_is_the_same(tiny):
    settings = resolve(tiny("loss=gce", "noise=mixture", "noise.alpha=0.5"))
    text = OmegaConf.to_yaml(OmegaConf.create(settings.plain()))
    assert settings_of(yaml.safe_load(text)) == settings


def test_settings_do_not_change(tiny):
    settings = resolve(tiny())
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 1
    other = settings.changed(seed=1)
    assert (other.seed, settings.seed) == (1, 0)


@pytest.fixture(scope="module")
def plain():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolve(compose("train")).plain()


NUMBERS = st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=3), st.none())


@given(value=NUMBERS)
def test_a_share_is_a_number_from_0_to_1(plain, value):
    fits = type(value) in (int, float) and 0 <= value <= 1
    config = {**plain, "noise": {**plain["noise"], "alpha": value}}
    if fits:
        assert settings_of(config).noise.alpha is value
    else:
        with pytest.raises(ConfigError, match=r"^noise\.alpha=.* must be a number from 0 to 1$"):
            settings_of(config)


@given(value=NUMBERS)
def test_a_seed_is_a_whole_number_below_two_to_the_32(plain, value):
    if type(value) is int and 0 <= value < 2**32:
        assert settings_of({**plain, "seed": value}).seed == value
    else:
        with pytest.raises(ConfigError, match=r"^seed=[\s\S]* must be a whole number ≥ 0"):
            settings_of({**plain, "seed": value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"noise": None}, "noise=None must be a group of settings"),
        ({"sed": 1}, "unknown setting 'sed'; did you mean seed?"),
        ({"trainer": {}}, "unknown setting trainer.name: it must be text"),
        ({"evaluation": {"every": 1, "lats": 2}}, "unknown setting 'evaluation.lats'"),
        ({"records": [1]}, "records=[1] must be a list of folders"),
        ({"model": {1: 2, "name": "x"}}, "model.1 is not the name of a setting"),
    ],
)
def test_a_mistake_is_told_by_name(plain, change, said):
    with pytest.raises(ConfigError) as caught:
        settings_of({**plain, **change})
    assert str(caught.value).startswith(said)


def test_a_missing_group_is_told_first(plain):
    with pytest.raises(ConfigError, match=r"^unknown setting dataset: it must be a group"):
        settings_of({"a": 1})


def test_one_setting_alone_is_checked_as_in_the_whole():
    assert check_setting("minutes", 5) == 5
    assert check_setting("records", None) == []
    with pytest.raises(ConfigError, match=r"^minutes=-1 is out of range: it must be"):
        check_setting("minutes", -1)


def test_a_part_of_arguments_alone_is_built_from_all_of_them():
    assert Part.model_validate({"_target_": "x", "q": 1}).arguments() == {"_target_": "x", "q": 1}
