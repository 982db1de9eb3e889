import sys

from robustseg.terminal import progress
from robustseg.terminal.progress import track


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter(range(0, 1000, 3))  # seconds; three for each item
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    assert list(track(iter("abcdefgh"), 8, "Reading")) == list("abcdefgh")
    assert capsys.readouterr().err.splitlines() == [
        "Reading: 1 of 8, 21 s left",
        "Reading: 5 of 8, 9 s left",
    ]


def test_short_work_says_nothing(capsys, monkeypatch):
    clock = iter([0, 1.8, 1.9])  # seconds
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    assert list(track([1, 2], 2, "Reading")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track(iter([1, 2, 3]), 3, "Reading")) == [1, 2, 3]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading" in err
