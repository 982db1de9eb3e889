"""A finished run's network as an ONNX model that says how to feed it."""

import json
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from robustseg.errors import NotInstalled
from robustseg.finished.load import FinishedRun
from robustseg.losses.overlap import probabilities
from robustseg.metrics.evaluation import predict_logits
from robustseg.runs.files import replacing
from robustseg.runs.identity import relevant

INPUT, OUTPUT = "image", "probability"
TOLERANCE = 1e-4  # between the probabilities of the two, in float32
_OPSET = 18


class _Probabilities(nn.Module):
    """Probabilities (B, 1, H, W), or of each class, of uint8 images (B, H, W, C)."""

    def __init__(self, predictor: nn.Module) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, image: Tensor) -> Tensor:
        return probabilities(self.predictor(image))


def export_onnx(run: FinishedRun, path: Path, *, threshold: float = 0.5) -> None:
    """Write the network, with the scaling of its input, as float32 ONNX with a free batch size.

    Input `image`: uint8 (N, S, S, C), the image resized to the run's size S. Output
    `probability`: float32 (N, 1, S, S), of label maps (N, K, S, S), the background first. What a
    program must know is in the model's metadata, as `metadata` gives it.

    Args:
        run: on the CPU.
        path: of the file.
        threshold: is written into the metadata.

    Raises:
        NotInstalled: onnx or onnxscript is not installed.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise NotInstalled(f"{' and '.join(missing)} not installed: pip install 'robustseg[onnx]'")
    import onnx

    # Two images, since a batch of one would be taken for a fixed size.
    example = torch.zeros(2, run.image_size, run.image_size, run.channels, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself
        program = torch.onnx.export(
            _Probabilities(run.predictor).eval(),
            (example,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    assert program is not None  # it is None only of the older exporter
    model = program.model_proto
    onnx.helper.set_model_props(model, metadata(run, threshold))
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        onnx.save(model, str(temporary))


def metadata(run: FinishedRun, threshold: float) -> dict[str, str]:
    """What a program must know to feed the model and read its output."""
    size, channels = run.image_size, run.channels
    bits = run.settings.dataset.source.get("image_bits") or 16
    scaling = "x / 127.5 - 1" if channels == 3 else "x / 255"
    classes = run.settings.dataset.classes
    names = classes or ["background", "foreground"]
    outputs, what = 1, "probability of the foreground"
    if classes:
        outputs, what = len(classes), "probability of each class; the largest gives the label"
    return {
        "input": f"{INPUT}: uint8 (N, {size}, {size}, {channels})",
        "input_size": str(size),
        "channel_order": "RGB" if channels == 3 else "grey",
        "resizing": f"to {size} x {size}, bilinear with antialiasing (Pillow's BILINEAR); "
        "proportions are not kept; an orientation tag is not applied",
        "sixteen_bits": f"value >> {bits - 8}: the upper eight of {bits} bits of grey images",
        "scaling": f"in the model: {scaling}",
        "output": f"{OUTPUT}: float32 (N, {outputs}, {size}, {size}), {what}",
        **({} if classes else {"threshold": str(threshold)}),
        "labels": json.dumps({str(at): name for at, name in enumerate(names)}),
        "run_id": run.folder.run_id,
        "settings": json.dumps(relevant(run.settings.plain()), sort_keys=True),
    }


def difference(run: FinishedRun, path: Path, images: np.ndarray) -> float:
    """The largest difference between the probabilities of ONNX Runtime and of PyTorch in float32.

    Args:
        run: on the CPU.
        path: the exported model.
        images: (N, S, S, C) uint8.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (theirs,) = session.run([OUTPUT], {INPUT: images})
    ours = np.concatenate(
        [
            probabilities(logits).cpu().numpy()
            for _, logits in predict_logits(
                run.predictor, images, batch_size=len(images), precision="32-true"
            )
        ]
    )
    return float(np.abs(theirs - ours).max())
