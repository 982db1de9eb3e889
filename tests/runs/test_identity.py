import contextlib
import copy
import functools

import pytest
from hydra import compose, initialize_config_dir

from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError
from robustseg.runs.checked import settings_of
from robustseg.runs.identity import identify
from robustseg.runs.labels import LABELS, check_labels, labels
from tests.conftest import CONF


@pytest.fixture
def config(tiny):
    return resolve(tiny("noise.alpha=0.3"))


def changed(settings, path, value):
    config = copy.deepcopy(settings.plain())
    node = config
    *way, last = path.split(".")
    for key in way:
        node = node[key]
    node[last] = value
    return settings_of(config)


# Every other setting changes the id: where things lie, who watches, on what it is computed.
FREE = {
    "paths.runs",
    "paths.logs",
    "paths.cache",
    "dataset.root",
    "dataset.source.root",
    "dataset.num_workers",
    "dataset.public",
    "dataset.device",
    "trainer.name",
    "trainer.accelerator",
    "trainer.threads",
    "trainer.progress",
    "trainer.checkpoint_every",
    "force",
    "experiment_name",
    "minutes",
    "records",
    "strict",
}
GROUPS = ("dataset", "noise", "model", "loss", "regularizer", "optimizer", "scheduler",
          "augmentation", "trainer", "logger")  # fmt: skip
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]


def leaves(node, path=""):
    for key, value in node.items():
        dotted = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from leaves(value, dotted)
        else:
            yield dotted, value


WORDS = ("cpu", "gpu", "cuda", "positive", "16-mixed", "32-true", "none")


def others(value):
    """Values that the setting may be able to have."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value / 2, 0.5]
        case str():
            return [f"{value}x", *WORDS, True]
        case list():
            return [[*value, 1], [*value, "x"], [*value, {"_target_": "x"}]]
        case _:
            return [7, 12, 0.5, "x", True, ["x", "y"], {"x": "y"}]


def altered(settings, path, value):
    """Settings that differ in one."""
    for new in (new for new in others(value) if new != value):
        with contextlib.suppress(ConfigError):
            return changed(settings, path, new)
    raise AssertionError(f"no other value for {path}")


@functools.cache
def of_choice(group, choice):
    """The settings with one choice of a group."""
    given = [f"{group}={choice}", "noise.alpha=0.3"]
    if group == "regularizer" and choice != "none":
        given.append("regularizer.epsilon=0.1")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolve(compose("train", given))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_each_setting_of_a_choice_is_in_the_id_or_is_known_to_be_free(group, choice):
    config = of_choice(group, choice)
    before = identify(config, "f").run_id
    without = config.regularizer.name == "none"
    for path, value in leaves(config.plain()):
        if path == "trainer.steps_per_epoch" or (without and path.startswith("regularizer.")):
            continue  # counts only together with max_steps; with a regulariser
        after = identify(altered(config, path, value), "f").run_id
        is_free = path in FREE or path.startswith("logger.")
        assert (after == before) == is_free, path


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("trainer", "logger")])
def test_each_choice_of_a_group_is_a_run_of_its_own(group):
    choices = [choice for of, choice in CHOICES if of == group]
    ids = [identify(of_choice(group, choice), "f").run_id for choice in choices]
    assert len(set(ids)) == len(choices) > 1


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_loggers_and_launchers_do_not_change_the_id(launcher):
    ids = set()
    for logger in (choice for group, choice in CHOICES if group == "logger"):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", [f"logger={logger}", f"hydra/launcher={launcher}"])
        ids.add(identify(resolve(cfg), "f").run_id)
    assert len(ids) == 1


def test_with_a_number_of_steps_the_number_of_epochs_does_not_count(tiny):
    steps = ["trainer.max_steps=12", "trainer.steps_per_epoch=3"]
    first, second = (
        identify(resolve(tiny(*steps, f"trainer.max_epochs={epochs}")), "f") for epochs in (4, 5)
    )
    assert first == second
    longer = resolve(tiny("trainer.max_steps=24", "trainer.steps_per_epoch=3"))
    sparser = resolve(tiny("trainer.max_steps=12", "trainer.steps_per_epoch=4"))
    assert len({first.run_id, *(identify(c, "f").run_id for c in (longer, sparser))}) == 3


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paths.runs", "elsewhere"),
        ("paths.cache", "elsewhere"),
        ("dataset.root", "/data"),
        ("dataset.num_workers", 7),
        ("dataset.device", "cuda"),
        ("trainer.accelerator", "gpu"),
        ("trainer.threads", 9),
        ("trainer.progress", "none"),
        ("trainer.checkpoint_every", 5),
        ("logger.name", "wandb"),
        ("experiment_name", "mine"),
        ("minutes", 5),
        ("records", ["record"]),
        ("force", True),
    ],
)
def test_what_cannot_change_the_result_is_not_in_the_id(config, path, value):
    assert identify(changed(config, path, value), "f").run_id == identify(config, "f").run_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1),
        ("noise.alpha", 0.5),
        ("noise.beta", 0.7),
        ("noise.seed", 1),
        ("dataset.image_size", 40),
        ("dataset.batch_size", 5),
        ("dataset.train_size", 3),
        ("dataset.source.seed", 1),
        ("loss.log_nu", 1.0),
        ("loss.parameter_lr", 1e-3),
        ("optimizer.lr", 1e-2),
        ("model.features", [4, 9]),
        ("trainer.max_epochs", 5),
        ("trainer.precision", "16-mixed"),
        ("trainer.channels_last", "other"),
        ("trainer.compile", True),
        ("trainer.cuda_graphs", True),
        ("optimizer.fused", True),
        ("augmentation.transforms", []),
        ("evaluation.last", 3),
        ("evaluation.every", 2),
    ],
)
def test_what_can_change_the_result_is_in_the_id(config, path, value):
    if value == "other":
        value = not config.trainer.channels_last
    assert identify(changed(config, path, value), "f").run_id != identify(config, "f").run_id


def test_a_run_from_before_a_setting_keeps_its_id(config):
    before = config.plain()
    del before["trainer"]["compile"], before["optimizer"]["fused"], before["dataset"]["device"]
    del before["dataset"]["val_fraction"], before["trainer"]["cuda_graphs"]
    assert identify(settings_of(before), "f") == identify(config, "f")


@pytest.mark.parametrize(
    ("target", "same"), [("robustseg.losses.Dice", True), ("mine.losses.Dice", False)]
)
def test_an_argument_at_its_default_counts_of_a_class_of_ones_own(config, target, same):
    """Of this package (and torch) it is known that to give it changes nothing."""
    given = changed(config, "loss", {"name": "dice", "_target_": target})
    told = changed(config, "loss", given.loss.plain() | {"include_background": False})
    assert (identify(told, "f") == identify(given, "f")) == same


def test_other_data_is_another_run(config):
    assert identify(config, "f").run_id != identify(config, "g").run_id


def test_without_noise_its_strength_and_seed_do_not_matter(config):
    clean = changed(config, "noise.alpha", 0.0)
    for path, value in (("noise.beta", 0.9), ("noise.seed", 4), ("noise.name", "swap")):
        assert identify(changed(clean, path, value), "f") == identify(clean, "f")


def test_a_regulariser_scaled_by_zero_is_none(config):
    zero = changed(config, "regularizer", {"name": "confidence", "epsilon": 0.0, "_target_": "x"})
    assert identify(zero, "f") == identify(config, "f")
    none = changed(config, "regularizer.epsilon", 0.3)
    assert identify(none, "f") == identify(config, "f")
    some = changed(config, "regularizer", {"name": "confidence", "epsilon": 0.1, "_target_": "x"})
    assert identify(some, "f").run_id != identify(config, "f").run_id


def test_a_regulariser_of_your_own_needs_no_epsilon(config):
    own, other = (
        changed(config, "regularizer", {"name": "mine", "_target_": "my.Own", "weight": weight})
        for weight in (1.0, 2.0)
    )
    ids = [identify(one, "f").run_id for one in (own, other, config)]
    assert len(set(ids)) == 3
    assert ids[0].startswith("synthetic-tloss-mine-a0.3-b0.5-s0-")
    made = labels(own, ids[0])
    assert (made["regularizer"], made["epsilon"]) == ("mine", None)
    check_labels(made)


def test_one_number_in_two_spellings_is_one_run(config):
    one = changed(changed(config, "noise.alpha", 1), "noise.beta", 1)
    other = changed(changed(config, "noise.alpha", 1.0), "noise.beta", 1.0)
    assert identify(one, "f") == identify(other, "f")


def test_keys_that_json_has_made_text_are_the_same_run(config):
    named = {1: "a", 2: "b", 10: "ignored"}
    one, other = (
        changed(config, "dataset.source.values", values)
        for values in (named, dict(sorted((str(k), name) for k, name in named.items())))
    )
    assert identify(one, "data").run_id == identify(other, "data").run_id
    more = changed(config, "dataset.source.values", {**named, 10: "b"})
    assert identify(more, "data").run_id != identify(one, "data").run_id


def test_the_id_is_readable(config):
    assert identify(config, "f").run_id.startswith("synthetic-tloss-a0.3-b0.5-s0-")
    clean = changed(config, "noise.alpha", 0.0)
    assert identify(clean, "f").run_id.startswith("synthetic-tloss-clean-s0-")


def test_labels_of_a_clean_run_have_no_strength(config):
    clean = labels(changed(config, "noise.alpha", 0.0), "id")
    assert (clean["alpha"], clean["beta"], clean["noise"]) == (0.0, None, None)
    assert labels(config, "id")["beta"] == 0.5


def test_a_run_has_every_label_of_the_catalogue(config):
    assert set(labels(config, "id")) == {"run_id", *LABELS}
