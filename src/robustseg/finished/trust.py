"""What the configuration of an untrusted run folder may build.

A folder that somebody else sends is data. Its config.yaml names classes to build (`_target_`), and
a name such as `os.system` would run code. So only classes of a fixed list are built, by their exact
names (a prefix such as `torch.` would admit `torch.hub.load`), and only from plain values: nothing
that Hydra or OmegaConf would act on. This is about code; a hostile folder can still ask for a huge
network.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf.errors import OmegaConfBaseException

from robustseg.configuration.buildable import check_part
from robustseg.configuration.loading import load_target
from robustseg.errors import ConfigError, DataError
from robustseg.setting_groups import Part

# Of segmentation-models-pytorch; `check_part` knows which network takes which. activation and
# aux_params are left out, for a network gives logits.
_SMP_NETWORKS = (
    "DPT DeepLabV3 DeepLabV3Plus FPN Linknet MAnet PAN PSPNet Segformer UPerNet Unet UnetPlusPlus"
)
_SMP_ARGUMENTS = (
    "classes decoder_aspp_dropout decoder_aspp_separable decoder_atrous_rates "
    "decoder_attention_type decoder_channels decoder_dropout decoder_fusion_channels "
    "decoder_intermediate_channels decoder_interpolation decoder_merge_policy decoder_pab_channels "
    "decoder_pyramid_channels decoder_readout decoder_segmentation_channels decoder_use_norm "
    "encoder_depth encoder_name encoder_output_stride encoder_weights psp_dropout "
    "psp_out_channels upsampling"
)
_PLAIN_NAME = re.compile(r"[\w.-]+")  # no ":" or "/": neither a hub ("hf-hub:…") nor a path

# Networks and the arguments they may be given.
MODELS = {
    "robustseg.models.PlainUNet": {"features"},
    **{
        f"segmentation_models_pytorch.{network}": set(_SMP_ARGUMENTS.split())
        for network in _SMP_NETWORKS.split()
    },
    "segmentation_models_pytorch.create_model": {"arch", *_SMP_ARGUMENTS.split()},
}
SOURCES = {
    "robustseg.data.Folder",
    "robustseg.data.Isic2017",
    "robustseg.data.Shenzhen",
    "robustseg.data.Synthetic",
}
NOISES = {
    "robustseg.noise.Annotator",
    "robustseg.noise.Confuse",
    "robustseg.noise.Elastic",
    "robustseg.noise.Legacy",
    "robustseg.noise.Markov",
    "robustseg.noise.Missed",
    "robustseg.noise.Mixture",
    "robustseg.noise.Morphological",
    "robustseg.noise.Swap",
}
# Losses with a weight for each image.
T_LOSSES = {"robustseg.losses.TLoss", "robustseg.losses.AreaTLoss"}
_BUILDABLE = {
    "model": set(MODELS),
    "dataset.source": SOURCES,
    "noise.model": NOISES,
    "loss": T_LOSSES,
}


def build(part: Part, name: str, path: Path, *, trust: bool, **added: Any) -> Any:
    """What a part of a run's settings describes.

    Args:
        part: the network, the source, the noise model or a T-Loss.
        name: which of them: `model`, `dataset.source`, `noise.model` or `loss`.
        path: of the config.yaml, for messages.
        trust: whether any class may be built. Pretrained weights are never fetched.
        **added: further arguments.

    Raises:
        DataError: it is nothing that may be built, or cannot be built.
    """
    node = part.arguments()
    if not trust:
        try:
            _check(node, _BUILDABLE[name], name)
            if name == "model":
                _check_model(node)
        except ConfigError as error:
            raise DataError(
                f"{path}: {error}. If the run is your own, or its sender is trusted, add --trust"
            ) from None
    if "encoder_weights" in node or str(node.get("_target_")).startswith("segmentation_models"):
        node["encoder_weights"] = None
    try:
        if not trust:  # a network was once trained with arguments that it ignores
            check_part(part, name)
        for place, target in _targets(node, name):
            load_target(target, place)
        return instantiate(node, **added)
    except DataError:
        raise
    except (HydraException, OmegaConfBaseException, ConfigError) as error:
        raise DataError(f"{path}: {name} cannot be built: {error}") from error


def _targets(node: Any, name: str) -> Iterator[tuple[str, str]]:
    """Where a node names a class to build, and its name."""
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield name, node["_target_"]
        for key, value in node.items():
            yield from _targets(value, f"{name}.{key}")
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield from _targets(item, f"{name}[{at}]")


def _check(node: Any, allowed: set[str], name: str) -> None:
    """Raise ConfigError unless a node holds plain values and names allowed classes only."""
    if isinstance(node, Mapping):
        if name in _BUILDABLE and "_target_" not in node:
            raise ConfigError(f"{name} names no class to build")
        for key, value in node.items():
            inner = f"{name}.{key}"
            if key == "_target_":
                if not isinstance(value, str) or value not in allowed:
                    raise ConfigError(f"{inner}={value!r} is not an allowed class")
            elif not isinstance(key, str | int) or str(key).startswith("_"):
                raise ConfigError(f"{inner} is not a setting of a run")
            else:
                _check(value, allowed, inner)
    elif isinstance(node, list):
        for at, item in enumerate(node):
            _check(item, allowed, f"{name}[{at}]")
    elif isinstance(node, str):
        if "${" in node:
            raise ConfigError(f"{name}={node!r} would be looked up on this machine")
    elif not (node is None or isinstance(node, int | float)):
        raise ConfigError(f"{name} is of the type {type(node).__name__}, which no setting has")


def _check_model(node: Mapping[str, Any]) -> None:
    """Raise ConfigError unless a network's arguments are known ones and plain values or lists."""
    known = MODELS[node["_target_"]] | {"_target_"}
    for key, value in node.items():
        if key not in known:
            raise ConfigError(f"model.{key} is not an allowed argument")
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Mapping | list):
                raise ConfigError(f"model.{key} is neither a value nor a list of values")
            if isinstance(part, str) and not _PLAIN_NAME.fullmatch(part):
                raise ConfigError(f"model.{key}={part!r} is not a plain name")
