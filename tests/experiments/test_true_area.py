"""The ablation of the T-Loss by area: the correct mask's area for each given mask."""

import importlib.util
from pathlib import Path

import pytest
import torch

from robustseg.finished.load import load_run
from robustseg.finished.training_data import training_data
from robustseg.losses import AreaTLoss, TLoss
from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location(
    "true_area", ROOT / "experiments" / "tloss_area_true" / "true_area.py"
)
true_area = importlib.util.module_from_spec(spec)
spec.loader.exec_module(true_area)


@pytest.fixture(scope="module")
def masks(noisy_run):
    """The correct and the given masks of a run, (B, 1, H, W)."""
    run = load_run(noisy_run, device="cpu")
    data = training_data(run, Path(run.settings.paths.cache))
    return [torch.from_numpy(of == 1)[:, None].float() for of in (data.train.masks, data.noisy)]


def test_a_given_mask_has_the_dimensions_of_the_correct_one_however_it_is_flipped(noisy_run, masks):
    correct, given = masks
    assert not torch.equal(correct, given)
    loss, logits = true_area.TrueAreaTLoss(str(noisy_run)), torch.zeros_like(given)
    wanted = AreaTLoss().dimensions(logits, correct)
    for axes in ((), (2,), (3,), (2, 3)):
        assert torch.equal(loss.dimensions(logits, given.flip(axes)), wanted)


def test_the_change_is_that_of_the_areas(noisy_run, masks):
    correct, given = (of.sum(dim=(1, 2, 3)).double() for of in masks)
    loss = true_area.TrueAreaTLoss(str(noisy_run), "change")
    found = loss.dimensions(torch.zeros_like(masks[1]), masks[1])
    assert torch.allclose(found, masks[1][0].numel() * given / correct)
    same = given == correct
    assert 0 < same.sum() < len(same)
    assert (found[same] == TLoss().dimensions(masks[1], masks[1])[same]).all()


def test_the_change_is_the_ratio_of_areas_of_a_network_that_is_right(noisy_run, masks):
    correct, given = masks
    loss, logits = true_area.TrueAreaTLoss(str(noisy_run), "change"), (correct * 2 - 1) * 50
    ratio = AreaTLoss(dimension="ratio", floor=1e-3).dimensions(logits, given)
    torch.testing.assert_close(loss.dimensions(logits, given).float(), ratio.float())


def test_where_masks_are_correct_it_is_the_t_loss_by_area(noisy_run, masks):
    correct, given = masks
    loss = true_area.TrueAreaTLoss(str(noisy_run))
    same = (correct == given).flatten(1).all(1)
    assert same.any()
    logits = torch.randn(given[same].shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loss(logits, given[same]), AreaTLoss()(logits, given[same]))


def test_masks_of_another_run_are_refused(noisy_run, masks):
    given = 1 - masks[1]
    with pytest.raises(ValueError, match="none of the run's"):
        true_area.TrueAreaTLoss(str(noisy_run))(torch.zeros_like(given), given)
