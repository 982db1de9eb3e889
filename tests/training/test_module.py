import math

import numpy as np
import pytest
import torch
from torch import nn

from robustseg.configuration.checks import resolve
from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import RunData
from robustseg.errors import NaNPredicted
from robustseg.losses import CrossEntropyLoss, TLoss
from robustseg.metrics import summarise
from robustseg.metrics.evaluation import evaluate, evaluate_fully, predict_logits
from robustseg.runs.folder import RunFolder
from robustseg.settings import EvaluationSettings
from robustseg.training.build import build_module
from robustseg.training.module import SegmentationModule
from robustseg.training.recorder import Recorder
from tests.conftest import CONF


class Brightness(nn.Module):
    """Predicts foreground where the first channel is bright."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return images[:, :1] * self.scale


def module(loss, **settings):
    return SegmentationModule(Brightness(), loss, torch.optim.Adam, **settings)


def test_the_losss_parameters_have_their_own_rate_and_no_decay():
    adam = module(TLoss(), loss_lr=0.05).configure_optimizers()
    network, loss = adam.param_groups
    assert [p.shape for p in loss["params"]] == [torch.Size([])]
    assert (network["lr"], loss["lr"], loss["weight_decay"]) == (1e-3, 0.05, 0.0)


def test_a_loss_with_parameters_needs_a_rate():
    with pytest.raises(ValueError, match="parameter_lr"):
        module(TLoss()).configure_optimizers()


def test_colour_is_scaled_to_minus_one_and_grey_to_zero():
    both = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1)
    net = module(CrossEntropyLoss())
    assert net(both).flatten().tolist() == [0.0, 4.0]
    assert net(both.expand(1, 1, 2, 3)).flatten().tolist() == [-4.0, 4.0]


def test_ignored_pixels_do_not_reach_the_loss():
    images = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    masks = torch.tensor([[[0, 0], [255, 255]]], dtype=torch.uint8)
    loss = module(CrossEntropyLoss(), has_ignored=True).training_step((images, masks), 0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-4)), rel=1e-5)
    masks[masks == 255] = 1
    assert float(module(CrossEntropyLoss()).training_step((images, masks), 0)) > 1


def test_nu_is_found_inside_the_loss():
    assert module(TLoss(log_nu=1.0), loss_lr=1.0).nu == pytest.approx(math.e)
    assert module(CrossEntropyLoss()).nu is None


def test_the_losses_are_those_of_the_steps_since_the_last_look():
    net = module(CrossEntropyLoss())
    assert net.take_losses() == []
    images = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    losses = [
        float(net.training_step((images, torch.full((1, 2, 2), v, dtype=torch.uint8)), 0))
        for v in (0, 1)
    ]
    assert net.take_losses() == losses
    assert net.take_losses() == []


def test_evaluation_counts_every_image_once_whatever_the_batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    masks = (images[..., 0] > 100).astype(np.uint8)
    net = module(CrossEntropyLoss())
    expected = (
        2
        * (images[..., 0] > 127).sum((1, 2))
        / ((images[..., 0] > 127).sum((1, 2)) + masks.sum((1, 2)))
    )
    for batch_size in (1, 3, 7):
        how = {"batch_size": batch_size, "precision": "32-true"}
        one, other = evaluate(net, images, [masks, 1 - masks], **how)
        full, pooled = evaluate_fully(net, images, masks, hd95=True, **how)
        assert one["dice"] == pytest.approx(expected)
        assert (other["tp"] == one["fp"]).all()
        assert ((full["hd95"] >= 0) & (full["hd95"] <= 1)).all()
        assert all((full[name] == values).all() for name, values in one.items())
        assert pooled["average_precision"] > 0.99  # a brighter pixel is never less foreground
    assert summarise(one)["dice_image"] == pytest.approx(expected.mean())


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_an_output_that_is_no_number_has_no_scores(batch_size):
    """Were NaN taken for background, empty images would score 1."""
    images = np.full((5, 4, 4, 3), 255, np.uint8)
    images[3, 1, 2, 0] = 0
    net = module(CrossEntropyLoss())
    net.network.forward = lambda x: x[:, :1].sqrt()  # of -1
    how = {"batch_size": batch_size, "precision": "32-true"}
    masks = np.zeros((5, 4, 4), np.uint8)
    for evaluation, target in ((evaluate, [masks]), (evaluate_fully, masks)):
        with pytest.raises(NaNPredicted, match="NaN on 1 of 5 images"):
            evaluation(net, images, target, **how)


def test_infinite_logits_are_certain_predictions():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 0] = 255
    net = module(CrossEntropyLoss())
    net.network.scale.data.fill_(math.inf)
    how = {"batch_size": 1, "precision": "32-true"}
    for mask, score in ((images[..., 0] // 255, 1), (1 - images[..., 0] // 255, 0)):
        columns, pooled = evaluate_fully(net, images, mask, hd95=True, **how)
        assert columns["dice"].tolist() == [score]
        assert pooled["calibration_error"] == 1 - score


EVALUATION = EvaluationSettings(every=1, last=1, train_sample=8, batch_size=2, hd95=True)


def recorder(path, masks, noisy, types):
    """Of a run on images whose left half is bright, tested on those it is trained on."""
    count, height, width = masks.shape
    images = np.zeros((count, height, width, 3), np.uint8)
    images[:, :, : width // 2] = 255
    names = [f"{at}" for at in range(count)]
    given = ImageSet(names, np.full(count, "train"), images, masks, [""] * count)
    manifest = [{"type": name} for name in types]
    data = RunData(given, noisy, manifest, given)
    how = {"epochs": 1, "precision": "32-true", "checkpoint_every": 0}
    return Recorder(RunFolder(path), data, EVALUATION, **how)


def test_a_training_image_without_a_counted_pixel_is_not_remembered(tmp_path):
    masks = np.zeros((4, 4, 4), np.uint8)
    masks[:, :, :1] = 1  # half of what the network finds
    noisy = masks.copy()
    noisy[1, :, :2] = 1  # just what the network finds
    masks[2:] = noisy[2:] = 255
    made = recorder(tmp_path, masks, noisy, ["clean", "dilate", "clean", "swap"])
    assert made.evaluator.memorisation(module(CrossEntropyLoss()), True) == pytest.approx(
        {
            "train_dice_noisy": (2 / 3 + 1) / 2,
            "train_dice_noisy/dilate": 1,
            "train_dice_clean": 2 / 3,
            "train_dice_clean/dilate": 2 / 3,
            "train_dice_clean/untouched": 2 / 3,
        }
    )


def test_prediction_is_in_eval_mode_and_leaves_the_mode_as_it_was():
    class Dropping(Brightness):
        def forward(self, images):
            return nn.functional.dropout(super().forward(images), 0.9, self.training)

    net = SegmentationModule(Dropping(), CrossEntropyLoss(), torch.optim.Adam).train()
    images = np.full((2, 4, 4, 3), 255, dtype=np.uint8)
    ((_, logits),) = predict_logits(net, images, batch_size=2, precision="32-true")
    assert (logits == 4).all()
    assert net.training


WAITING = {"aten::_local_scalar_dense", "aten::is_nonzero", "aten::nonzero", "aten::masked_select"}


def operations(step):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    return {event.key for event in profile.key_averages()}


@pytest.mark.parametrize("name", sorted(file.stem for file in (CONF / "loss").glob("*.yaml")))
@pytest.mark.parametrize("ignored", [False, True])
def test_nothing_in_a_step_waits_for_the_device(tiny, name, ignored):
    """None of the operations whose result the host has to fetch from a GPU."""
    built = build_module(resolve(tiny(f"loss={name}")), in_channels=3, has_ignored=ignored)
    masks = torch.randint(0, 2, (4, 16, 16), dtype=torch.uint8)
    masks[0, 0, 0] = 255 if ignored else 1
    images = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    done = operations(lambda: built.training_step((images, masks), 0).backward())
    assert "aten::convolution_backward" in done
    assert not done & WAITING


def test_a_waiting_operation_is_seen():
    assert operations(lambda: float(torch.ones(3).sum())) & WAITING
    assert operations(lambda: torch.ones(3)[torch.tensor([True, False, True])]) & WAITING


def test_nothing_in_an_evaluation_waits_for_the_device():
    images = torch.randint(0, 256, (6, 8, 8, 3), dtype=torch.uint8).numpy()
    masks, net = images[..., 0] // 255, module(CrossEntropyLoss())
    done = operations(lambda: evaluate(net, images, [masks], batch_size=2, precision="32-true"))
    assert "aten::isnan" in done or "aten::ne" in done
    assert not done & WAITING
