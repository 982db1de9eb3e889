"""Names of what a configuration builds: those of today, and those that run ids were made with.

A configuration names the package's public face, `robustseg.data.Folder`, never a module, so that a
file may move without making run ids change. Older ids were made with module names; they keep
counting for identity, and configurations that use them stay valid.
"""

from collections.abc import Mapping
from typing import Any

# Today's name → the name in identities.
_FORMER = {
    "robustseg.data.Folder": "robustseg.data.folder.Folder",
    "robustseg.data.Isic2017": "robustseg.data.isic2017.Isic2017",
    "robustseg.data.Shenzhen": "robustseg.data.shenzhen.Shenzhen",
    "robustseg.data.Synthetic": "robustseg.data.synthetic.Synthetic",
    "robustseg.models.PlainUNet": "robustseg.models.plain_unet.PlainUNet",
    "robustseg.training.NuPlateau": "robustseg.schedule.NuPlateau",
    **{
        f"robustseg.noise.{name}": f"robustseg.noise.{name.lower()}.{name}"
        for name in (
            "Annotator",
            "Elastic",
            "Legacy",
            "Markov",
            "Missed",
            "Mixture",
            "Morphological",
            "Swap",
        )
    },
}
# Not part of an identity.
_MOVED = {
    "robustseg.dashboards.wandb_logger.make_logger": "robustseg.dashboards.make_wandb_logger",
    "robustseg.dashboards.tensorboard_run.make_logger": (
        "robustseg.dashboards.make_tensorboard_logger"
    ),
}
_CURRENT = {former: name for name, former in _FORMER.items()} | _MOVED


def with_current_names(config: Any) -> Any:
    """Return a configuration in which every `_target_` has today's name.

    Examples:
        >>> with_current_names({"model": {"_target_": "robustseg.noise.swap.Swap"}})
        {'model': {'_target_': 'robustseg.noise.Swap'}}
    """
    return _renamed(config, _CURRENT)


def with_identity_names(config: Any) -> Any:
    """Return a configuration in which every `_target_` has the name that identities count."""
    return _renamed(config, _FORMER)


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {
            key: names.get(value, value)
            if key == "_target_" and isinstance(value, str)
            else _renamed(value, names)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    return node
