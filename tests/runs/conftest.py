"""Run folders of others, and those that were damaged."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def kept(noisy_run, tmp_path):
    """A copy of a finished run in a folder of runs of its own, under its own name."""
    return Path(shutil.copytree(noisy_run, tmp_path / "runs" / noisy_run.name))


@pytest.fixture
def two(kept, grey_run):
    """A folder of runs with two finished ones; the first may be damaged."""
    shutil.copytree(grey_run, kept.parent / grey_run.name)
    return kept
