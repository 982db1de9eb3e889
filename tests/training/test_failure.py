"""What is said of a run that failed."""

import pytest

from robustseg.training.failure import message
from tests.conftest import TINY
from tests.program import call


@pytest.mark.parametrize("error", [ValueError(), ValueError(" \n"), KeyError(), RuntimeError("")])
def test_an_error_without_a_message_is_named_by_its_class(error):
    assert message(error) == type(error).__name__


def test_a_run_that_fails_without_a_message_does_not_stop_the_others(tmp_path, cache):
    places = [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}/logs", f"paths.cache={cache}"]
    losses = "loss._target_=tests.integration.slow.Silent,robustseg.losses.MAELoss"
    done = call(tmp_path, "-m", *TINY, "trainer.max_epochs=1", *places, "loss=mae", losses)
    assert done.returncode == 1
    assert "failed. ValueError" in done.stdout
    assert "2 runs: 1 failed, 1 done." in done.stdout
    assert "Traceback" not in done.stderr
