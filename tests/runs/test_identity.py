import copy

import pytest

from robustseg.config import settle
from robustseg.runs.identity import identify, labels


@pytest.fixture
def config(tiny):
    return settle(tiny("noise.alpha=0.3"))


def changed(config, path, value):
    config = copy.deepcopy(config)
    node = config
    *way, last = path.split(".")
    for key in way:
        node = node[key]
    node[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paths.runs", "elsewhere"),
        ("paths.cache", "elsewhere"),
        ("dataset.root", "/data"),
        ("dataset.num_workers", 7),
        ("trainer.accelerator", "gpu"),
        ("trainer.threads", 9),
        ("trainer.progress", "none"),
        ("trainer.checkpoint_every", 5),
        ("logger.name", "wandb"),
        ("experiment_name", "mine"),
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
        ("augmentation.transforms", []),
        ("evaluation.last", 3),
        ("evaluation.every", 2),
    ],
)
def test_what_can_change_the_result_is_in_the_id(config, path, value):
    assert identify(changed(config, path, value), "f").run_id != identify(config, "f").run_id


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


def test_one_number_in_two_spellings_is_one_run(config):
    one = changed(changed(config, "noise.alpha", 1), "noise.beta", 1)
    other = changed(changed(config, "noise.alpha", 1.0), "noise.beta", 1.0)
    assert identify(one, "f") == identify(other, "f")


def test_the_id_is_readable(config):
    assert identify(config, "f").run_id.startswith("synthetic-tloss-a0.3-b0.5-s0-")
    clean = changed(config, "noise.alpha", 0.0)
    assert identify(clean, "f").run_id.startswith("synthetic-tloss-clean-s0-")


def test_labels_of_a_clean_run_have_no_strength(config):
    clean = labels(changed(config, "noise.alpha", 0.0), "id")
    assert (clean["alpha"], clean["beta"], clean["noise"]) == (0.0, None, None)
    assert labels(config, "id")["beta"] == 0.5
