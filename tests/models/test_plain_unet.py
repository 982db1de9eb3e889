import pytest
import torch
import yaml

from robustseg.configuration.compose import composed
from robustseg.errors import ConfigError
from robustseg.models.plain_unet import PlainUNet
from robustseg.training.build_part import build_part
from tests.conftest import CONF

PUBLIC_NETWORK = 18_670_368  # parameters of the paper's public network
BIASES = 970  # PlainConvUNet's convolutions have biases where the public network's have none
IDLE_HEADS = 962 + 514 + 258 + 130  # two classes at four resolutions below the full one
ONE_CLASS_LESS = 32 + 1


def features(name):
    return yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())["features"]


def test_it_is_the_papers_network_without_idle_heads():
    network = PlainUNet(3, features("nnunet"))
    count = sum(p.numel() for p in network.parameters())
    assert count == PUBLIC_NETWORK + BIASES - IDLE_HEADS - ONE_CLASS_LESS


def test_the_tiny_one_is_tiny():
    count = sum(p.numel() for p in PlainUNet(3, features("nnunet_tiny")).parameters())
    assert 0.45e6 < count < 0.5e6


@pytest.mark.parametrize("channels", [1, 3])
def test_every_parameter_gets_a_gradient(channels):
    network = PlainUNet(channels, [4, 8, 16])
    logits = network(torch.randn(2, channels, 16, 24))
    assert logits.shape == (2, 1, 16, 24)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_size_that_does_not_fit_is_refused_with_one_that_does():
    with pytest.raises(ValueError, match=r"20×24 is not a multiple of 8.*image_size=24"):
        PlainUNet(1, [2, 2, 2, 2])(torch.zeros(1, 1, 20, 24))


@pytest.mark.parametrize(
    "features", ["[8]", "[]", "8", "[0,8]", "[8,16.5]", "[8,true]", "x", "null"]
)
def test_widths_that_make_no_network_are_refused(features):
    with pytest.raises(
        ConfigError, match=r"^model\.features(=.* should be| needs) a (list|valid integer)"
    ):
        build_part("model", composed([f"model.features={features}"]).model, in_channels=1)
