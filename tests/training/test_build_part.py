"""Parts that are built from settings, and how a wrong argument is refused."""

import sys

import pytest
import torch
from omegaconf import open_dict

from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError
from robustseg.setting_groups import Part
from robustseg.training.build import build_module, rehearse
from robustseg.training.build_part import build_part
from robustseg.training.restoring import epochs_saved


def part(target, **arguments):
    return Part.model_validate({"_target_": target, **arguments})


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        ("robustseg.losses.TverskyLoss", {"alpha": "abc"}, "alpha='abc' should be a valid number"),
        ("robustseg.losses.TverskyLoss", {"smooth": None}, "smooth=None should be a valid number"),
        ("robustseg.losses.TverskyLoss", {"alpha": True}, "alpha=True should be a valid number"),
        ("robustseg.losses.TverskyLoss", {"alpha": -1}, "alpha must lie in"),
        ("robustseg.losses.TLoss", {"learn": 1}, "learn=1 should be a valid boolean"),
        ("robustseg.losses.TLoss", {"log_nu": "e"}, "log_nu='e' should be a valid number"),
        (
            "robustseg.losses.AreaTLoss",
            {"dimension": "area"},
            "dimension='area' should be 'pixels'",
        ),
        (
            "robustseg.noise.Markov",
            {"theta1": 0.5},
            r"theta1=0.5 should be a list, such as \[a,b\]",
        ),
        ("robustseg.noise.Elastic", {"smoothness": "x"}, "smoothness='x' should be a valid number"),
        ("robustseg.noise.Morphological", {"types": "dilate"}, "types='dilate' should be a list"),
        ("robustseg.losses.regularizers.LabelSmoothing", {"epsilon": "x"}, "epsilon='x' should"),
        ("robustseg.models.PlainUNet", {"in_channels": 3, "features": 8}, "features=8 should be a"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(target, arguments, said):
    with pytest.raises(ConfigError, match=f"^part.{said}"):
        build_part("part", part(target, **arguments))


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("robustseg.losses.TLoss", {"log_nu": 1}),
        ("robustseg.noise.Markov", {"theta1": [0, 1]}),
        ("robustseg.noise.Mixture", {
            "weights": {"missed": 1},
            "models": {"missed": {"_target_": "robustseg.noise.Missed"}},
        }),
        ("torch.nn.Dropout", {"p": 0.5}),
        ("torch.nn.Upsample", {"size": [4, 4]}),
        ("fractions.Fraction", {"numerator": 3}),
    ],
)  # fmt: skip
def test_what_a_constructor_takes_is_built(target, arguments):
    assert type(build_part("part", part(target, **arguments))).__name__ == target.split(".")[-1]


def test_a_rehearsal_names_the_setting(tiny):
    settings = resolve(tiny("noise.model.max_angle=wide"))
    with pytest.raises(ConfigError, match=r"^noise\.model\.max_angle='wide' should be a valid num"):
        rehearse(settings, 3)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["+optimizer.betas=[2,3]"], "Invalid beta parameter"),
        (["loss=tloss", "loss.parameter_lr=null"], "set loss.parameter_lr"),
        (["scheduler=step", "scheduler.milestones=5"], "not iterable"),
        (
            [
                "scheduler=step",
                "scheduler._target_=torch.optim.lr_scheduler.ReduceLROnPlateau",
                "~scheduler.milestones",
                "~scheduler.gamma",
            ],
            "its step needs metrics",
        ),
    ],
)
def test_a_rehearsal_builds_optimiser_and_schedule(tiny, overrides, said):
    with pytest.raises(ConfigError, match=f"^optimizer=adam scheduler=.*{said}"):
        rehearse(resolve(tiny(*overrides)), 3)


@pytest.mark.parametrize(
    ("module", "overrides", "said"),
    [
        ("class Mine(torch.nn.BCEWithLogitsLoss): pass", [], "takes 3 positional arguments but 4"),
        (
            "class Mine(torch.nn.Module):\n"
            "    def forward(self, logits, target, ignore): return logits.mean()",
            ["regularizer=label_noise"],
            "no attribute 'image_scale'",
        ),
        (
            "class Mine(torch.nn.Module):\n"
            "    def forward(self, logits, target, ignore): return logits - target",
            [],
            r"it gives \(2, 1, 32, 32\), and training needs a scalar",
        ),
    ],
)
def test_a_rehearsal_calls_the_loss(tiny, tmp_path, monkeypatch, module, overrides, said):
    (tmp_path / "loss_of_rehearsal.py").write_text(f"import torch\n{module}\n")
    monkeypatch.syspath_prepend(tmp_path)
    cfg = tiny(*overrides)
    with open_dict(cfg):
        cfg.loss = {
            "name": "mine", "_target_": "loss_of_rehearsal.Mine", "parameter_lr": None
        }  # fmt: skip
    with pytest.raises(ConfigError, match=rf"^loss=mine regularizer=\w+: .*{said}"):
        rehearse(resolve(cfg), 3)
    sys.modules.pop("loss_of_rehearsal")


@pytest.mark.parametrize("name", ["NAdam", "RAdam", "Adamax", "AdamW"])
def test_a_checkpoint_of_an_optimiser_with_lists_can_be_loaded(tiny, tmp_path, name):
    cfg = tiny()
    with open_dict(cfg):
        target = f"torch.optim.{name}"
        cfg.optimizer = {"name": "own", "_target_": target, "lr": 1e-3, "betas": [0.9, 0.95]}
    module = build_module(resolve(cfg), 3)
    optimizer = module.configure_optimizers()
    torch.save({"epoch": 4, "optimizer": optimizer.state_dict()}, tmp_path / "last.ckpt")
    assert epochs_saved(tmp_path / "last.ckpt") == 5
