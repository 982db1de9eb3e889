"""Parts that are built from settings, and how a wrong argument is refused."""

import pytest

from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError
from robustseg.setting_groups import Part
from robustseg.training.build import rehearse
from robustseg.training.build_part import build_part


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
