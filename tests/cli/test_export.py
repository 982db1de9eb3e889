"""robustseg export: the network in another program."""

import json

import numpy as np
import pytest

from robustseg.cli.main import main
from robustseg.finished import onnx as onnx_export
from robustseg.finished.load import load_run
from robustseg.metrics.evaluation import predict_logits


@pytest.mark.parametrize(("name", "channels"), [("noisy_run", 3), ("grey_run", 1)])
def test_onnx_runtime_gives_the_same_masks(name, channels, request, tmp_path, capsys):
    for library in ("onnx", "onnxscript"):
        pytest.importorskip(library)
    onnxruntime = pytest.importorskip("onnxruntime")
    folder, file = request.getfixturevalue(name), tmp_path / "new" / "model.onnx"
    assert main(["export", str(folder), "-o", str(file), "--threshold", "0.4"]) == 0
    assert "ONNX Runtime's probabilities differ by" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    run = load_run(folder, device="cpu")
    images = np.load(folder / "examples.npz")["image"]
    (logits,) = [
        batch.numpy()
        for _, batch in predict_logits(
            run.predictor, images, batch_size=len(images), precision="32-true"
        )
    ]
    for count in (1, 2, len(images)):
        (probability,) = session.run(None, {"image": images[:count]})
        assert probability.shape == (count, 1, 32, 32)
        assert np.abs(probability - 1 / (1 + np.exp(-logits[:count]))).max() < 1e-4
        sure = np.abs(logits[:count]) > 1e-3
        assert np.array_equal((probability > 0.5)[sure], (logits[:count] > 0)[sure])
        assert sure.mean() > 0.99

    told = session.get_modelmeta().custom_metadata_map
    assert told["input_size"] == "32"
    assert told["channel_order"] == {3: "RGB", 1: "grey"}[channels]
    assert (
        told["scaling"] == {3: "in the model: x / 127.5 - 1", 1: "in the model: x / 255"}[channels]
    )
    assert told["threshold"] == "0.4"
    assert told["sixteen_bits"] == "value >> 8: the upper eight of 16 bits of grey images"
    assert told["run_id"] == folder.name
    assert json.loads(told["labels"]) == {"0": "background", "1": "foreground"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert json.loads(told["settings"]) == metrics["settings"]


def test_a_network_that_predicts_no_numbers_does_not_pass(nan_run, tmp_path, capsys):
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library)
    assert main(["export", str(nan_run), "-o", str(tmp_path / "model.onnx")]) == 1
    assert "probabilities differ by nan" in capsys.readouterr().err


def test_without_onnx_it_is_told_what_to_install(noisy_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    assert main(["export", str(noisy_run), "-o", str(tmp_path / "model.onnx")]) == 1
    assert "pip install 'robustseg[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()
