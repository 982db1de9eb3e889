import pytest

from robustseg.runs.survey import RunState
from robustseg.sweeps import display as module
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


def test_a_resumed_run_counts_with_the_time_of_its_earlier_attempts():
    display = Display(total=3, at_once=1)
    display.started()
    display.ended(Outcome("a", "done", 0.5, seconds=10.0, trained_seconds=100.0))
    assert display.seconds_left() == 200


def test_before_a_run_has_ended_the_pace_of_the_running_ones_tells_the_time():
    display = Display(total=4, at_once=2)
    display.started()
    display.started()
    display.tick([RunState("a", "running", epoch=5, epochs=10, seconds_left=50.0)])
    # 100 s a run: half of one, and three whole ones, two at a time
    assert display.seconds_left() == pytest.approx(350 / 2)


def test_the_last_run_is_not_shared_between_processes():
    display = Display(total=2, at_once=2)
    for _ in range(2):
        display.started()
    display.ended(Outcome("a", "done", 0.5, 100.0))
    display.tick([RunState("b", "running", epoch=1, epochs=10, seconds_left=90.0)])
    assert display.seconds_left() == 90


def test_where_there_is_no_terminal_a_line_now_and_then_says_what_is_running(capsys, monkeypatch):
    monkeypatch.setattr(module, "_LINE_S", 0.0)
    display = Display(total=2, at_once=1)
    display.started()
    display.tick([RunState("a", "running", epoch=1, epochs=10, seconds_left=90.0)])
    assert capsys.readouterr().out == "[0/2] 1 running, 3 min left: a epoch 2/10\n"


@pytest.mark.parametrize(("seconds", "said"), [(41, "41 s"), (720, "12 min"), (12240, "3.4 h")])
def test_durations_are_short(seconds, said):
    assert duration(seconds) == said
