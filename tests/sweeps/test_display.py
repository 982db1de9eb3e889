import pytest

from robustseg.sweeps.display import Display
from robustseg.sweeps.outcomes import Outcome
from robustseg.terminal.duration import duration


def test_a_line_for_each_run_with_counts_and_time_left(capsys):
    with Display(total=5, at_once=2) as display:
        display.started()
        display.started()
        display.ended(Outcome("a", "done", 0.75, 30.0))
        display.started()
        display.ended(Outcome("b", "failed", message="ValueError: no\nmore"))
    assert capsys.readouterr().out.splitlines() == [
        "5 runs, 2 at a time",
        # four to go, 30 s each, two at a time
        "[1/5] a  done  Dice 0.750  30 s  (1 done, 1 running, 60 s left)",
        "[2/5] b  failed: ValueError: no  (1 done, 1 failed, 1 running, 45 s left)",
    ]


def test_skipped_runs_tell_nothing_about_the_time():
    display = Display(total=3, at_once=1)
    display.started()
    display.ended(Outcome("a", "skipped", 0.5, 0.01))
    assert display.seconds_left() is None


@pytest.mark.parametrize(("seconds", "said"), [(41, "41 s"), (720, "12 min"), (12240, "3.4 h")])
def test_durations_are_short(seconds, said):
    assert duration(seconds) == said
