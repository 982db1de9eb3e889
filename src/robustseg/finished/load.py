"""The network of a finished run, ready to predict."""

import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustseg.errors import ConfigError, DataError
from robustseg.finished.trust import build
from robustseg.models.normalisation import normalise
from robustseg.records import run_ids
from robustseg.records.layout import DamagedRecord, is_record, records_here
from robustseg.runs.config import read_settings
from robustseg.runs.files import DamagedFile, trouble
from robustseg.runs.folder import RunFolder
from robustseg.setting_groups import Part
from robustseg.settings import Settings
from robustseg.terminal.suggestion import nearest


class Predictor(nn.Module):
    """A network behind the scaling of its input, as `SegmentationModule` has it in training."""

    def __init__(self, network: nn.Module, channels_last: bool) -> None:
        super().__init__()
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.format)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1, H, W), or one per class, float32, of uint8 images (B, H, W, C)."""
        return self.network(normalise(images).contiguous(memory_format=self.format)).float()


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run's settings and its trained network, in eval mode.

    Attributes:
        folder: of the run.
        settings: its config.yaml.
        predictor: uint8 images (B, H, W, C) → foreground logits (B, 1, H, W), or one per class.
        channels: of its images: 3 RGB, 1 grey.
        image_size: height and width of its images in pixels.
        precision: in which it was evaluated in training.
        batch_size: images per batch in its evaluations.
        loss_state: parameters and buffers of a loss that learns a ν; none of other losses.
        trust: whether its config.yaml may build any class.
    """

    folder: RunFolder
    settings: Settings
    predictor: Predictor
    channels: int
    image_size: int
    precision: str
    batch_size: int
    loss_state: dict[str, Tensor]
    trust: bool

    @property
    def nu(self) -> float | None:
        """ν of a T-Loss; None with other losses."""
        log_nu = self.loss_state.get("log_nu")
        return None if log_nu is None else float(log_nu.double().exp())

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the foreground classes of its label maps; none where masks are binary."""
        return self.settings.dataset.foreground

    def build(self, name: str) -> Any:
        """What its settings describe as `dataset.source`, `noise.model` or `loss`."""
        parts: dict[str, Part] = {
            "dataset.source": self.settings.dataset.source,
            "noise.model": self.settings.noise.model,
            "loss": self.settings.loss,
        }
        return build(parts[name], name, self.folder.config, trust=self.trust)


def load_run(path: Path, *, device: str = "auto", trust: bool = False) -> FinishedRun:
    """Load a finished run. Its folder is read as data: see `robustseg.finished.trust`.

    Args:
        path: the run's folder.
        device: auto (a CUDA device if there is one), cpu or cuda.
        trust: whether its config.yaml may build any class. Weights are never unpickled as code.

    Raises:
        DataError: there is no finished run, its files are damaged, or they ask for more than a
            run folder may.
        ConfigError: the device is not there.
    """
    folder = RunFolder(path)
    _check_finished(folder)
    try:
        folder.check_plain()
    except DamagedFile as error:
        raise DataError(f"{error.path} {error.reason}") from error
    settings = read_settings(folder.config)
    weights = _read_weights(folder)
    classes = settings.dataset.classes
    added = {} if classes is None else {"classes": len(classes)}
    network, channels = _network(settings.model, weights, folder, trust, added)
    predictor = Predictor(network, settings.trainer.channels_last)
    return FinishedRun(
        folder,
        settings,
        predictor.to(pick_device(device)).eval(),
        channels,
        image_size=settings.dataset.image_size,
        precision=settings.trainer.precision,
        batch_size=settings.evaluation.batch_size,
        loss_state=_beside_log_nu(weights["loss"]),
        trust=trust,
    )


def pick_device(name: str) -> torch.device:
    """The device that auto, cpu or cuda stands for.

    Raises:
        ConfigError: there is no CUDA device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: there is no CUDA device here. Take cpu or auto")
    return torch.device(name)


def _check_finished(folder: RunFolder) -> None:
    """Raise DataError unless a folder holds weights."""
    if not folder.weights.is_file():
        _check_recorded(folder)
    if not folder.path.is_dir():
        parent = folder.path.parent
        others = [run.name for run in parent.iterdir() if run.is_dir()] if parent.is_dir() else []
        near = nearest(folder.run_id, others)
        hint = f"did you mean {parent / near}?" if near else "give the folder of a finished run"
        raise DataError(f"{folder.path}: no such folder; {hint}")
    if not folder.weights.is_file():
        state = folder.read_status().get("state")
        raise DataError(
            f"{folder.path}: no weights in it ({folder.weights.relative_to(folder.path)}). "
            + (f"The run is {state}; train it to its end" if state else "Is it a run's folder?")
        )


def _check_recorded(folder: RunFolder) -> None:
    """Raise DataError if it is a record that is named, or has the run: it has no weights."""
    if is_record(folder.path):
        raise DataError(f"{folder.path} is a record, which has no weights: name a run's folder")
    for record in dict.fromkeys((folder.path.parent, *records_here())):
        try:
            there = is_record(record) and folder.run_id in run_ids(record)
        except DamagedRecord:  # another's; it was asked for a hint only
            there = False
        if there:
            raise DataError(
                f"{folder.path}: no weights in it. The run's numbers are in {record}; a record "
                "has neither weights nor pictures: train the run again, or name its folder"
            )


def _read_weights(folder: RunFolder) -> dict[str, Any]:
    """State of network and loss, and channels; a file that holds more than numbers is refused."""
    path = folder.weights
    try:
        data = io.BytesIO(folder.read(path))
        weights = torch.load(data, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: it holds more than weights, which could be code, or is damaged; not loaded"
        ) from error
    except (OSError, DamagedFile) as error:
        raise DataError(f"{path} {trouble(error)}") from error
    except Exception as error:  # a damaged archive raises nearly anything
        raise DataError(f"{path}: damaged ({type(error).__name__}); fetch it again") from error
    states = [weights.get(part) for part in ("network", "loss")] if type(weights) is dict else []
    if not states or not all(
        isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())
        for state in states
    ):
        raise DataError(f"{path}: not the weights of a run of robustseg")
    channels = weights.get("in_channels")
    if channels is not None and (type(channels) is not int or channels not in (1, 3)):
        raise DataError(f"{path}: in_channels={channels!r}, and it is 1 or 3")
    return weights


def _beside_log_nu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of the module that has a ln ν, by its own names; {} if none has."""
    found = next((key for key in state if key.endswith("log_nu")), None)
    if found is None:
        return {}
    prefix = found.removesuffix("log_nu")
    return {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}


def _channels(weights: dict[str, Any], folder: RunFolder) -> tuple[int, ...]:
    """How many channels the images have; both numbers where neither weights nor pictures tell."""
    if weights.get("in_channels"):
        return (int(weights["in_channels"]),)
    try:  # runs of before have it in their pictures only
        with np.load(io.BytesIO(folder.read(folder.examples))) as pictures:
            shape = pictures["image"].shape
    except (OSError, DamagedFile, ValueError, LookupError, zipfile.BadZipFile):
        return 3, 1
    return (shape[-1],) if len(shape) == 4 and shape[-1] in (1, 3) else (3, 1)


def _network(
    model: Part, weights: dict[str, Any], folder: RunFolder, trust: bool, added: dict[str, int]
) -> tuple[nn.Module, int]:
    """The network with its weights, and for how many channels it was built."""
    state = weights["network"]
    wanted = {key: value.shape for key, value in state.items()}
    for channels in _channels(weights, folder):
        added = {**added, "in_channels": channels}
        network = build(model, "model", folder.config, trust=trust, **added)
        if not isinstance(network, nn.Module):
            raise DataError(
                f"{folder.config}: model does not build a network but a {type(network)}"
            )
        if {key: value.shape for key, value in network.state_dict().items()} == wanted:
            network.load_state_dict(state)
            return network, channels
    raise DataError(f"{folder.weights}: the weights do not fit the model of {folder.config.name}")
