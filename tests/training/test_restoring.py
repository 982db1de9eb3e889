"""What is a damaged checkpoint, and what is a system in trouble."""

import errno
import os

import pytest
import torch

from robustseg.configuration.checks import resolve
from robustseg.errors import DamagedRun
from robustseg.training import attempt, recorder, restoring, train


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ESTALE, os.strerror(errno.ESTALE)),
        MemoryError(),
        RuntimeError("unable to mmap 9 bytes from file <last.ckpt>: Cannot allocate memory (12)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_system_in_trouble_is_no_damage(tmp_path, monkeypatch, error):
    def load(*_, **__):
        raise error

    (tmp_path / "last.ckpt").touch()
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(type(error)) as raised:
        restoring.epochs_saved(tmp_path / "last.ckpt")
    assert raised.value is error


@pytest.mark.parametrize("error", [RuntimeError("PytorchStreamReader failed"), KeyError("epoch")])
def test_anything_else_is(tmp_path, monkeypatch, error):
    def load(*_, **__):
        raise error

    (tmp_path / "last.ckpt").touch()
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(DamagedRun, match=r"last\.ckpt cannot be used"):
        restoring.epochs_saved(tmp_path / "last.ckpt")


def test_rows_that_cannot_be_read_now_are_no_damage(tmp_path, monkeypatch):
    def read(path):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with pytest.raises(DamagedRun, match=r"epochs\.csv cannot be read"):
        recorder._rows(tmp_path / "epochs.csv", 3)
    monkeypatch.setattr(recorder, "read_bytes", read)
    with pytest.raises(OSError, match="Stale"):
        recorder._rows(tmp_path / "epochs.csv", 3)


def test_a_restart_has_the_threads_that_were_asked_for(tiny, tmp_path, monkeypatch):
    asked = resolve(tiny())
    given = []

    def start(settings, identity, folder, damage=None):
        given.append(settings.trainer.threads)
        of_before = settings.trainer.changed(threads=settings.trainer.threads + 63)
        return settings.changed(trainer=of_before), []

    def damaged(*_):
        raise DamagedRun("the checkpoint")

    monkeypatch.setattr(attempt, "_start", start)
    monkeypatch.setattr(attempt, "note_failure", lambda *_: None)
    monkeypatch.setattr(train, "train", damaged)
    with pytest.raises(DamagedRun):
        attempt.attempt_run(asked, None, None, None)
    assert given == [asked.trainer.threads] * 2
