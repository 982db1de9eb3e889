"""`robustseg init`: what its project says of itself holds."""

import sys

import pytest
import torch

from robustseg.cli.main import main
from robustseg.configuration.compose import composed
from robustseg.runs.identity import identify
from robustseg.training.build_part import build_part
from tests.docs.test_commands import cells, commands


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "lesions"]) == 0
    monkeypatch.chdir(tmp_path / "lesions")
    monkeypatch.syspath_prepend(tmp_path / "lesions")
    yield tmp_path / "lesions"
    sys.modules.pop("my_loss", None)


def test_every_call_of_its_readme_trains_on_its_images(project):
    calls = [
        [word for word in text.split() if "=" in word]  # the README says behind a call what it does
        for _, text, _ in commands("README.md", (project / "README.md").read_text())
        if text.startswith("robustseg train") and "--help" not in text
    ]
    assert len(calls) >= 3
    for words in calls:
        for cell in cells(words):
            assert composed(cell).dataset.name == "mine"


def test_a_version_of_the_loss_is_a_run_of_its_own(project):
    ids = set()
    for version in (1, 2):
        overrides = ["dataset=mine", "loss=poly1", f"loss.version={version}"]
        settings = composed([*overrides, "trainer.precision=32-true"], "loss")
        ids.add(identify(settings, "0" * 64).run_id)
        logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
        build_part("loss", settings.loss)(logits, torch.ones(1, 1, 4, 4)).backward()
        assert logits.grad.abs().sum() > 0
    assert len(ids) == 2
