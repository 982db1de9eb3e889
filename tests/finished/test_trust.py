"""A run folder of unknown origin is data: neither its configuration nor its weights run code."""

import os
import shutil
import socket
import sys
from inspect import signature
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from robustseg.cli.main import main
from robustseg.errors import DataError
from robustseg.finished.load import load_run
from robustseg.finished.trust import MODELS, build
from robustseg.runs.config import read_config
from robustseg.setting_groups import Part
from robustseg.settings import Choice, Source
from tests.conftest import CONF, without_checksums


@pytest.fixture
def sent(noisy_run, tmp_path):
    """A copy of a run's folder, as somebody else may send it."""
    return without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))


@pytest.fixture
def trap(tmp_path):
    """A file that hostile code would make."""
    return tmp_path / "trap"


def change(folder, **model):
    """Change settings of the model; another `_target_` gets none of those that were there."""
    file = folder / "config.yaml"
    config = yaml.safe_load(file.read_text())
    before = config["model"] if "_target_" not in model else {"name": config["model"]["name"]}
    config["model"] = before | model
    file.write_text(yaml.safe_dump(config))


HOSTILE = {
    "another callable": {"_target_": "os.system", "command": "touch TRAP"},
    "a callable that Hydra would call": {"_target_": "numpy.savetxt", "fname": "TRAP", "X": [1]},
    "a name with an allowed prefix": {"_target_": "robustseg.models.plain_unet.PlainUNet.forward"},
    "code from the net": {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"},
    "a target that is not a name": {"_target_": ["robustseg.models.plain_unet.PlainUNet"]},
    "a callable among the arguments": {
        "features": [{"_target_": "numpy.savetxt", "fname": "TRAP", "X": [1]}, 8]
    },
    "a known class among the arguments": {
        "features": [{"_target_": "robustseg.models.plain_unet.PlainUNet", "features": [4, 8]}]
    },
    "a partial": {"_partial_": True},
    "positional arguments": {"_args_": [3]},
    "a variable of the machine": {"features": "${oc.env:HOME}"},
    "a resolver in a list": {"features": ["${oc.decode:4}", 8]},
    "an unknown argument": {"in_channels": 3},
    "a model of a hub": {
        "_target_": "segmentation_models_pytorch.create_model",
        "encoder_name": "tu-hf-hub:somebody/something",
    },
    "a model of a folder": {
        "_target_": "segmentation_models_pytorch.Unet",
        "encoder_name": "tu-local-dir:/tmp",
    },
    "an activation behind the logits": {
        "_target_": "segmentation_models_pytorch.FPN",
        "activation": "sigmoid",
    },
    "a checkpoint of its own": {
        "_target_": "segmentation_models_pytorch.Unet",
        "checkpoint_path": "evil.pt",
    },
}


@pytest.mark.parametrize("model", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_configuration_is_refused(sent, trap, model, capsys):
    change(sent, **yaml.safe_load(yaml.safe_dump(model).replace("TRAP", str(trap))))
    assert main(["export", str(sent), "-o", str(sent / "model.onnx")]) == 1
    error = capsys.readouterr().err
    assert "config.yaml: model" in error and "--trust" in error
    assert not trap.exists()


def test_only_trust_lets_the_hostile_call_happen(sent, trap):
    call = {"_target_": "numpy.savetxt", "fname": str(trap), "X": [1]}
    change(sent, features=[call, 8])
    with pytest.raises(DataError, match="not an allowed class"):
        load_run(sent)
    assert not trap.exists()
    with pytest.raises(DataError, match="cannot be built"):  # for savetxt returns no width
        load_run(sent, trust=True)
    assert trap.exists()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; what is imported from it is forgotten."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    yield folder
    sys.modules.pop("net_of_mine", None)


def test_an_own_class_in_the_working_folder_is_found(sent, here, cache):
    features = yaml.safe_load((sent / "config.yaml").read_text())["model"]["features"]
    change(sent, _target_="net_of_mine.MyNet", features=features)
    (here / "net_of_mine.py").write_text("from robustseg.models import PlainUNet as MyNet")
    call = ["evaluate", str(sent), "dataset=synthetic", "dataset.source.train=10"]
    assert main([*call, "dataset.source.test=5", f"paths.cache={cache}"]) == 1
    assert main([*call, "dataset.source.test=5", f"paths.cache={cache}", "--trust"]) == 0


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (None, "net_of_mine.MyNet", "there is no module net_of_mine, neither installed nor as"),
        ("class MyNet: ...", "net_of_mine.MiNet", "did you mean net_of_mine.MyNet?"),
        ("\nimport not_there", "net_of_mine.MyNet", "net_of_mine.py, line 2: ModuleNotFoundError"),
    ],
)
def test_an_own_class_that_cannot_be_loaded_is_told(sent, here, capsys, text, target, said):
    if text is not None:
        (here / "net_of_mine.py").write_text(text)
    change(sent, _target_=target)
    assert main(["export", str(sent), "-o", str(sent / "model.onnx"), "--trust"]) == 1
    error = capsys.readouterr().err
    assert f"config.yaml: model cannot be built: model._target_={target}: " in error
    assert said in error and "HYDRA_FULL_ERROR" not in error


def test_objects_in_yaml_are_refused(sent, trap):
    text = (sent / "config.yaml").read_text()
    hostile = f"evil: !!python/object/apply:os.system ['touch {trap}']\n"
    (sent / "config.yaml").write_text(text + hostile)
    with pytest.raises(DataError, match="not plain YAML"):
        load_run(sent)
    assert not trap.exists()


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("trust", [False, True])
def test_a_hostile_checkpoint_is_refused_even_from_people_one_trusts(sent, trap, trust):
    file = sent / "checkpoints" / "weights.pt"
    weights = torch.load(file, weights_only=True)
    torch.save({**weights, "extra": Bomb(f"touch {trap}")}, file)
    with pytest.raises(DataError, match="more than weights"):
        load_run(sent, trust=trust)
    assert not trap.exists()
    torch.load(file, weights_only=False)
    assert trap.exists()


def test_source_and_noise_are_checked_too(sent, trap):
    config = yaml.safe_load((sent / "config.yaml").read_text())
    call = {"_target_": "numpy.savetxt", "fname": str(trap), "X": [1]}
    config["dataset"]["source"] = call
    config["noise"]["model"] = {
        "_target_": "robustseg.noise.mixture.Mixture",
        "weights": {"a": 1},
        "models": {"a": call},
    }
    (sent / "config.yaml").write_text(yaml.safe_dump(config))
    run = load_run(sent)
    for name in ("dataset.source", "noise.model"):
        with pytest.raises(DataError, match="not an allowed class"):
            run.build(name)
    assert not trap.exists()


@pytest.mark.parametrize("weights", [{"encoder_weights": "imagenet"}, {}])
@pytest.mark.parametrize("trust", [False, True])
def test_pretrained_weights_are_not_fetched(weights, trust, monkeypatch):
    def refuse(*_):
        raise AssertionError("something is fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model = {"_target_": "segmentation_models_pytorch.Unet", "encoder_name": "resnet18", **weights}
    part = Part.model_validate(model)
    network = build(part, "model", Path("config.yaml"), trust=trust, in_channels=1)
    assert sum(p.numel() for p in network.parameters()) > 1e7


def shipped(group):
    return [f"{group}={file.stem}" for file in sorted((CONF / group).glob("*.yaml"))]


@pytest.mark.parametrize("choice", [*shipped("model"), *shipped("noise"), *shipped("dataset")])
def test_everything_that_ships_can_be_loaded_without_trust(choice, tmp_path):
    root = [] if "synthetic" in choice else [f"dataset.root={tmp_path}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [choice, *root]), resolve=True)
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    read = read_config(tmp_path / "config.yaml")
    group = choice.partition("=")[0]
    added = {"in_channels": 3} if group == "model" else {}
    name, part = {
        "model": ("model", Choice.model_validate(read["model"])),
        "noise": ("noise.model", Part.model_validate(read["noise"]["model"])),
        "dataset": ("dataset.source", Source.model_validate(read["dataset"]["source"])),
    }[group]
    built = build(part, name, tmp_path / "config.yaml", trust=False, **added)
    assert type(built).__module__.startswith(("robustseg.", "segmentation_models_pytorch."))


# What each is given beside its encoder.
SMP = {
    "unet": {"encoder_depth": 3, "decoder_channels": [8, 8, 4]},
    "unetplusplus": {
        "encoder_depth": 3,
        "decoder_channels": [32, 32, 16],
        "decoder_attention_type": "scse",
    },
    "manet": {"decoder_pab_channels": 8, "decoder_channels": [8, 8, 8, 8, 4]},
    "linknet": {"decoder_use_norm": False},
    "fpn": {"decoder_pyramid_channels": 16, "decoder_merge_policy": "cat", "decoder_dropout": 0.1},
    "pspnet": {"psp_out_channels": 16, "psp_dropout": 0.0, "upsampling": 8},
    "deeplabv3": {"decoder_channels": 8, "decoder_atrous_rates": [2, 4, 6]},
    "deeplabv3plus": {
        "encoder_output_stride": 16,
        "decoder_channels": 8,
        "decoder_aspp_separable": False,
        "decoder_aspp_dropout": 0.1,
    },
    "pan": {"decoder_channels": 8, "decoder_interpolation": "bilinear"},
    "upernet": {"decoder_channels": 8},
    "segformer": {"decoder_segmentation_channels": 8},
    "dpt": {
        "encoder_name": "tu-vit_tiny_patch16_224",
        "decoder_readout": "add",
        "decoder_intermediate_channels": [8, 8, 8, 8],
        "decoder_fusion_channels": 8,
    },
}


def test_every_architecture_of_smp_is_listed_with_all_that_shapes_it():
    assert set(SMP) == set(smp.MODEL_ARCHITECTURES_MAPPING)
    left_out = {"in_channels", "activation", "aux_params", "kwargs"}
    left_out |= {"encoder_output_indices"}  # refuses the lists of a configuration
    for network in smp.MODEL_ARCHITECTURES_MAPPING.values():
        taken = set(signature(network).parameters) - left_out
        assert taken <= MODELS[f"segmentation_models_pytorch.{network.__name__}"]
        assert taken | {"arch"} <= MODELS["segmentation_models_pytorch.create_model"]


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("arch", SMP)
def test_every_architecture_of_smp_is_built_from_a_folder_without_trust(arch, by_name):
    target = "create_model" if by_name else smp.MODEL_ARCHITECTURES_MAPPING[arch].__name__
    given = {"encoder_name": "resnet18", "encoder_weights": None, "classes": 1, **SMP[arch]}
    if by_name:
        given["arch"] = arch
    part = Part.model_validate({"_target_": f"segmentation_models_pytorch.{target}", **given})
    network = build(part, "model", Path("config.yaml"), trust=False, in_channels=1)
    size = {"dpt": 224, "pan": 128}.get(arch, 32)
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 1, size, size)).shape == (1, 1, size, size)


def test_a_trained_network_of_smp_with_arguments_of_its_own_predicts_without_trust(
    finished, tmp_path
):
    run = finished("model=smp", "model.arch=fpn", "+model.decoder_pyramid_channels=16")
    call = ["evaluate", str(run), "dataset=synthetic", "dataset.source.train=4"]
    assert main([*call, "dataset.source.test=3", f"paths.cache={tmp_path}"]) == 0
