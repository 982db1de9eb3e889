"""A finished run is loaded as it was trained."""

import shutil
import sys

import numpy as np
import pytest
import torch
import yaml

from robustseg.errors import ConfigError, DataError
from robustseg.finished.load import load_run, pick_device
from robustseg.runs.checked import settings_of
from robustseg.training.build import build_module
from tests.conftest import without_checksums


@pytest.mark.parametrize(("name", "channels"), [("noisy_run", 3), ("grey_run", 1)])
def test_the_network_answers_as_the_trained_module_does(name, channels, request):
    folder = request.getfixturevalue(name)
    run = load_run(folder, device="cpu")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    module = build_module(settings_of(config), channels).eval()
    weights = torch.load(folder / "checkpoints" / "weights.pt", weights_only=True)
    module.network.load_state_dict(weights["network"])
    module.loss.load_state_dict(weights["loss"])
    images = torch.randint(0, 256, (2, 32, 32, channels), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(run.predictor(images), module(images))
    assert run.channels == channels
    assert run.nu == pytest.approx(module.nu) if name == "noisy_run" else run.nu is None


def test_what_is_no_finished_run_is_told_apart(noisy_run, tmp_path):
    with pytest.raises(DataError, match=f"did you mean .*{noisy_run.name}"):
        load_run(noisy_run.with_name(noisy_run.name + "0"))
    with pytest.raises(DataError, match="no weights in it"):
        load_run(tmp_path)
    sent = without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))
    weights = sent / "checkpoints" / "weights.pt"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"weights\.pt: damaged"):
        load_run(sent)
    torch.save({"network": {"a": torch.zeros(1)}, "loss": {}}, weights)
    with pytest.raises(DataError, match="do not fit the model"):
        load_run(sent)
    torch.save([1], weights)
    with pytest.raises(DataError, match="not the weights of a run"):
        load_run(sent)


def test_a_damaged_record_beside_it_changes_no_message(tmp_path):
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(DataError, match="no such folder"):
        load_run(tmp_path / "lost")


def test_weights_that_are_not_to_be_read_are_not_called_damaged(noisy_run, monkeypatch):
    def deny(path, **how):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(torch, "load", deny)
    with pytest.raises(DataError, match=r"weights\.pt cannot be read \(Permission denied\)$"):
        load_run(noisy_run, device="cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "not the configuration of a run"),
        ("a: 1", "unknown setting dataset"),
        (": :", "not plain YAML"),
    ],
)
def test_a_damaged_configuration_is_told(noisy_run, tmp_path, text, said):
    sent = without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))
    (sent / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=said):
        load_run(sent)


@pytest.mark.parametrize("value", [0, "64", True, None])
def test_a_size_that_is_none_is_refused(noisy_run, tmp_path, value):
    sent = without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))
    config = yaml.safe_load((sent / "config.yaml").read_text())
    config["dataset"]["image_size"] = value
    (sent / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(DataError, match=r"dataset\.image_size"):
        load_run(sent)


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="no CUDA device"):
        pick_device("cuda")


@pytest.mark.parametrize("kept", ["weights", "examples"])
def test_a_network_of_one_s_own_gets_the_channels_of_training(
    finished, tmp_path, monkeypatch, kept
):
    """Its weights fit three channels as well as one: it repeats a grey image for each."""
    (tmp_path / "repeating_net.py").write_text(
        "from robustseg.models import PlainUNet\n"
        "class Net(PlainUNet):\n"
        "    def __init__(self, in_channels, features):\n"
        "        super().__init__(3, features)\n"
        "    def forward(self, images):\n"
        "        return super().forward(images.expand(-1, 3, -1, -1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = ["dataset=synthetic_chest", "loss=mae", "model._target_=repeating_net.Net"]
    folder = shutil.copytree(finished(*own), tmp_path / "run")
    without_checksums(folder)
    file = folder / "checkpoints" / "weights.pt"
    weights = torch.load(file, weights_only=True)
    assert weights["in_channels"] == 1
    if kept != "weights":
        torch.save({key: weights[key] for key in ("network", "loss")}, file)
    if kept == "weights":
        (folder / "examples.npz").unlink()
    run = load_run(folder, device="cpu", trust=True)
    assert run.channels == 1
    with np.load(finished(*own) / "examples.npz") as pictures:
        image, predicted = pictures["image"][:1], pictures["predicted"][:1]
    with torch.inference_mode():
        probability = run.predictor(torch.from_numpy(image)).sigmoid().numpy()
    assert ((probability > 0.5).squeeze() == (predicted > 0.5).squeeze()).mean() > 0.99
    sys.modules.pop("repeating_net", None)


def test_channels_that_no_run_has_are_refused(noisy_run, tmp_path):
    folder = without_checksums(shutil.copytree(noisy_run, tmp_path / "run"))
    file = folder / "checkpoints" / "weights.pt"
    torch.save(torch.load(file, weights_only=True) | {"in_channels": 4}, file)
    with pytest.raises(DataError, match="in_channels=4, and it is 1 or 3"):
        load_run(folder)
