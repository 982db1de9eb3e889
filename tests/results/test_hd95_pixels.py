"""HD95 in pixels, of runs that record shares of the diagonal."""

import numpy as np
import pytest

from robustseg.cli.main import main
from robustseg.metrics import hd95
from robustseg.metrics.catalogue import diagonal
from robustseg.results.load import load_runs
from robustseg.results.tables.image_scores import Images

SIZE = 32  # of the tests' images


def test_a_share_of_the_diagonal_in_pixels_is_the_distance():
    rng = np.random.default_rng(0)
    pred, target = rng.random((2, SIZE, SIZE)) > 0.9
    share, pixels = (hd95(pred, target, normalize=how) for how in ("diagonal", "none"))
    assert share * diagonal(SIZE) == pytest.approx(pixels)
    assert pixels == pytest.approx(hd95(pred[::-1], target[::-1], normalize="none"))


def test_runs_and_their_images_have_it(trained):
    runs, images = load_runs(trained), Images(trained)
    factor = np.hypot(SIZE, SIZE)
    for name in ("hd95", "hd95_pos"):
        pixels = name.replace("hd95", "hd95_pixels")
        assert runs[pixels].to_list() == pytest.approx((runs[name] * factor).to_list())
        ids, shares = images.mean(runs["run_id"], name)
        assert images.mean(runs["run_id"], pixels)[0] == ids
        assert images.mean(runs["run_id"], pixels)[1] == pytest.approx(shares * factor)


def test_a_table_says_which_pixels(trained, capsys):
    assert main(["table", "--runs", str(trained), "--metric", "hd95_pixels"]) == 0
    assert "in pixels of images resized to dataset.image_size" in capsys.readouterr().out
