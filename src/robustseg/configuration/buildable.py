"""Whether what a configuration names can be built: its classes, and their arguments."""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from robustseg.configuration.loading import load_target
from robustseg.errors import ConfigError
from robustseg.setting_groups import Part, group_of, own_settings
from robustseg.settings import Settings
from robustseg.terminal.suggestion import nearest, suggestion

# Arguments that the program adds.
_ADDED = {
    "model": {"in_channels"},
    "optimizer": {"params"},
    "scheduler": {"optimizer"},
    "logger": {"run"},
}


def check_targets(settings: Settings, *groups: str) -> None:
    """Check the arguments of every `_target_` against its signature.

    Args:
        settings: of a run.
        groups: to be checked; none: all of them.

    Raises:
        ConfigError: a target cannot be found, an argument is unknown or one is missing.
    """
    for name, node in settings.plain().items():
        if not groups or name in groups:
            _walk(node, name)


def check_part(part: Part, path: str) -> None:
    """Check the arguments of one part, and of those in it, as `check_targets` does."""
    _walk(part.plain(), path)


def _walk(node: Any, path: str) -> None:
    if isinstance(node, list):
        for at, item in enumerate(node):
            _walk(item, f"{path}[{at}]")
    if not isinstance(node, Mapping):
        return
    if "_target_" in node:
        _check_target(node, path)
    for key, value in node.items():
        _walk(value, f"{path}.{key}")


def _parameters(target: Any, node: Mapping[str, Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of what is to be called.

    A network of segmentation-models-pytorch takes any argument and passes it to its encoder, but
    only the encoders of timm look at it: with others a misspelt one would have no effect.
    """
    parameters = dict(inspect.signature(target).parameters)
    module = getattr(target, "__module__", None) or ""
    if module.partition(".")[0] != "segmentation_models_pytorch":
        return parameters
    import segmentation_models_pytorch as smp

    if target is smp.create_model:
        network = smp.MODEL_ARCHITECTURES_MAPPING.get(str(node.get("arch")).lower())
        if network is None:  # which it refuses itself
            return parameters
        parameters = dict(inspect.signature(network).parameters) | parameters
    if str(node.get("encoder_name")).startswith(("tu-", "timm-")):
        return parameters
    return {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}


def _remedy(path: str, key: str) -> str:
    """What to do about an argument of a network that an experiment sets for another one."""
    return f"; if the experiment sets it: ~model.{key}" if path == "model" else ""


def _check_network(target: str, node: Mapping[str, Any], path: str) -> None:
    """Refuse what a network of segmentation-models-pytorch refuses late, or gives no logits with.

    Its encoders tu-NAME are timm's, which knows their names.
    """
    if not target.startswith("segmentation_models_pytorch."):
        return
    import segmentation_models_pytorch as smp

    for key in ("activation", "aux_params"):
        if node.get(key) is not None:
            raise ConfigError(
                f"{path}.{key}: losses and metrics take the logits that the network gives "
                "without it. Leave it out"
            )
    arch, encoder = str(node.get("arch")), str(node.get("encoder_name"))
    if "arch" in node and arch.lower() not in smp.MODEL_ARCHITECTURES_MAPPING:
        known = suggestion(arch.lower(), smp.MODEL_ARCHITECTURES_MAPPING)
        raise ConfigError(f"there is no {path}.arch={arch}; {known}")
    names = smp.encoders.get_encoder_names()
    timm = encoder.startswith(("tu-", "timm-"))
    if "encoder_name" in node and not timm and encoder not in names:
        near = nearest(encoder, names)
        known = f"did you mean {near}?" if near else "the documentation of smp lists them"
        raise ConfigError(f"there is no {path}.encoder_name={encoder}; {known}")


def _check_target(node: Mapping[str, Any], path: str) -> None:
    target = node["_target_"]
    with warnings.catch_warnings():  # what it imports may use what torch gives up
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
        loaded = load_target(str(target), path)
    try:
        parameters = _parameters(loaded, node)
    except (TypeError, ValueError) as error:  # it is not called, or has no signature
        raise ConfigError(f"{path}._target_={target} cannot be built: {error}") from error
    _check_network(str(target), node, path)
    kind = group_of(Settings, path)
    own = own_settings(kind) if kind is not None and issubclass(kind, Part) else frozenset()
    given = {key for key in node if not key.startswith("_")} - own
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in sorted(given - set(parameters)):
            raise ConfigError(
                f"{target} takes no '{key}' (setting '{path}.{key}'); "
                f"{suggestion(key, set(parameters) | own)}{_remedy(path, key)}"
            )
    required = {
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    missing = required - given - _ADDED.get(path, set())
    if missing:
        raise ConfigError(f"{target} needs {', '.join(sorted(missing))}: set {path}.<name>")
