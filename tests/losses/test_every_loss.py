"""What holds for every loss: shapes, precision, ignored pixels, degenerate targets, YAML."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch._subclasses.fake_tensor import FakeTensorMode

from robustseg import losses

CONF = Path(__file__).parents[2] / "conf" / "loss"
CLASSES = [getattr(losses, name) for name in losses.__all__ if name.endswith("Loss")]
DOMAINS = [c for c in CLASSES if "domain" in c.__init__.__annotations__]
VARIANTS = [(c, {}) for c in CLASSES] + [(c, {"domain": "batch"}) for c in DOMAINS]


def name(value):
    return value.__name__ if isinstance(value, type) else str(value or "")


every_loss = pytest.mark.parametrize("kind, options", VARIANTS, ids=name)


def composed(path):
    with initialize_config_dir(str(CONF.parent), version_base="1.3"):
        config = compose(f"loss/{path.stem}").loss
    return OmegaConf.to_container(config)


def test_every_loss_has_a_configuration():
    targets = {composed(path)["_target_"].rpartition(".")[2] for path in CONF.glob("*.yaml")}
    assert targets == {c.__name__ for c in CLASSES}


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_configuration_builds_the_module(path):
    config = composed(path)
    name = config.pop("name")
    config.pop("parameter_lr", None)
    built = instantiate(config)
    assert built.image_scale in (True, False)
    if "defaults" not in path.read_text():  # not a preset of another: the module's own defaults
        assert name == path.stem
        assert public_attributes(built) == public_attributes(type(built)())


def public_attributes(module):
    parameters = {key: value.item() for key, value in module.named_parameters()}
    return parameters | {key: v for key, v in vars(module).items() if not key.startswith("_")}


def test_only_t_losses_and_their_limit_are_on_the_scale_of_an_image():
    assert {c.__name__ for c in CLASSES if c.image_scale} == {"TLoss", "AreaTLoss", "LogSSELoss"}


@every_loss
def test_scalar_in_full_precision(kind, options, draw):
    logits, target, _ = draw(2, 1, 5, 6)
    for dtype, expected in (
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ):
        value = kind(**options)(logits.to(dtype), target.float())
        assert value.shape == ()
        assert value.dtype == expected


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing(kind, options, dtype, draw):
    logits, target, _ = draw(2, 1, 256, 256)
    logits = logits.to(dtype).requires_grad_()
    loss = kind(**options)
    expected = loss(logits.float(), target.float())
    with torch.autocast("cpu", dtype=dtype):
        value = loss(logits, target.to(dtype))
    value.backward()
    assert value == expected
    assert logits.grad.isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e4, 100.0, 88.0, 20.0, 0.0])
@pytest.mark.parametrize("smooth", [1e-5, 0.0])
def test_finite_for_extreme_logits(kind, options, dtype, size, smooth, draw):
    if "smooth" in kind.__init__.__annotations__:
        options = {**options, "smooth": smooth}
    noise, hard, soft = draw(3, 1, 8, 8)
    loss = kind(**options)
    for label in (hard, soft, torch.zeros_like(hard), torch.ones_like(hard)):
        for sign in (noise.sign(), 2 * hard - 1, 1 - 2 * hard, -torch.ones_like(hard)):
            logits = (size * sign).to(dtype).requires_grad_()
            value = loss(logits, label.to(dtype))
            value.backward()
            assert value.isfinite()
            assert logits.grad.isfinite().all()


@every_loss
def test_ignored_pixels_are_as_if_cut_off(kind, options, draw):
    logits, target, _ = draw(2, 1, 6, 8)
    loss = kind(**options)
    expected = loss(logits[..., :5], target[..., :5])
    ignore = torch.zeros(logits.shape, dtype=torch.bool)
    ignore[..., 5:] = True
    logits.requires_grad_()
    value = loss(logits, target, ignore)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    value.backward()
    assert (logits.grad[..., 5:] == 0).all()
    assert (logits.grad[..., :5] != 0).any()


@every_loss
def test_everything_ignored_is_zero_with_a_graph(kind, options, draw):
    logits, target, _ = draw(2, 1, 4, 4)
    logits.requires_grad_()
    value = kind(**options)(logits, target, torch.ones_like(target, dtype=torch.bool))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


@every_loss
def test_one_ignored_image_counts_as_zero(kind, options, draw):
    logits, target, _ = draw(2, 1, 4, 4)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[1] = True
    loss = kind(**options)
    alone = loss(logits[:1], target[:1])
    share = 1 if options else 2  # the batch domain has one sum over what is left
    if kind is losses.DiceCELoss and options:
        alone = losses.dice_loss(logits[:1], target[:1])
        alone = alone + losses.cross_entropy_loss(logits[:1], target[:1]) / 2
    torch.testing.assert_close(loss(logits, target, ignore), alone / share)


@every_loss
def test_a_perfect_prediction_is_best(kind, options, draw):
    noise, target, _ = draw(2, 1, 6, 6)
    loss = kind(**options)
    best = loss(2e4 * (target - 0.5), target)
    assert best < loss(noise, target)
    if not loss.image_scale:
        assert abs(best) < 1e-8


@every_loss
def test_reads_no_value_on_the_host(kind, options):
    with FakeTensorMode():  # refuses .item(), and branches on a tensor's value
        loss = kind(**options)
        logits = torch.randn(2, 1, 8, 8, requires_grad=True)
        target, ignore = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8) > 0.5
        loss(logits, target).backward()
        loss(logits, target, ignore).backward()


@every_loss
def test_gradient_by_finite_differences(kind, options, draw):
    logits, hard, soft = draw(2, 1, 3, 3, scale=1.5)
    loss = kind(**options).double()
    ignore = torch.zeros_like(hard, dtype=torch.bool)
    ignore[0, 0, 0] = True
    for target in (hard, soft):
        for mask in (None, ignore):
            assert torch.autograd.gradcheck(
                lambda z, t=target, m=mask: loss(z, t, m), logits.clone().requires_grad_()
            )


@pytest.mark.parametrize("kind", CLASSES, ids=name)
def test_wrong_tensors_are_refused(kind):
    loss = kind()
    logits, target = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"logits must be .* not float32 of shape \(2, 4, 4\)"):
        loss(logits[:, 0], target[:, 0])
    with pytest.raises(ValueError, match=r"target must be .* not int64"):
        loss(logits, target.long())
    with pytest.raises(ValueError, match=r"target must be .* of shape \(2, 1, 4, 3\)"):
        loss(logits, target[..., :3])
    with pytest.raises(ValueError, match="ignore must be bool"):
        loss(logits, target, target)
    with pytest.raises(ValueError, match="ignore must be bool"):
        loss(logits, target, target[:1] > 0)


@pytest.mark.parametrize(
    "kind, options",
    [
        (losses.GCELoss, {"q": 0}),
        (losses.GCELoss, {"q": 1.1}),
        (losses.NGCELoss, {"q": float("nan")}),
        (losses.SCELoss, {"a": -1}),
        (losses.NCERCELoss, {"b": -0.1}),
        (losses.NGCEMAELoss, {"a": float("inf")}),
        (losses.NGCERCELoss, {"q": -0.1}),
        (losses.TLoss, {"log_nu": float("inf")}),
        (losses.AreaTLoss, {"dimension": "area"}),
        (losses.TverskyLoss, {"alpha": -0.1}),
        (losses.TverskyLoss, {"domain": "volume"}),
        (losses.DiceLoss, {"smooth": -1}),
        (losses.DiceLoss, {"soft_target": "l2"}),
        (losses.JaccardLoss, {"classes": "micro"}),
        (losses.FocalTverskyLoss, {"gamma": 0.5}),
        (losses.NoiseRobustDiceLoss, {"gamma": 2.5}),
        (losses.JaccardMetricLoss, {"domain": "images"}),
        (losses.FocalLoss, {"gamma": -1}),
        (losses.DiceCELoss, {"ce_weight": -1}),
        (losses.LovaszHingeLoss, {"domain": "epoch"}),
    ],
)
def test_wrong_options_are_refused(kind, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
