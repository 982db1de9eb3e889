"""Errors of the user's making as messages; of a wrong override with the nearest right one."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from robustseg.configuration.checks import suggest
from robustseg.errors import ConfigError, RunFailed


def explain(error: Exception, conf: Path) -> str | None:
    """What to tell of an error: its message, or Hydra's with its cause and a "did you mean".

    Of a constructor that refuses its arguments it is the refusal alone.

    Args:
        error: what was raised.
        conf: the folder of configuration groups.

    Returns:
        The message; None for an error that is not of the user's making.
    """
    if isinstance(error, RunFailed | ConfigError):
        return str(error)
    if isinstance(error, InstantiationException):  # whatever a constructor raised
        return str(error.__cause__) if isinstance(error.__cause__, ValueError) else None
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    lines = [str(error).split("\nConfig search path:")[0]]
    if error.__cause__ is not None and str(error.__cause__) not in lines[0]:
        lines.append(str(error.__cause__).splitlines()[0])
    hint = _hint(error, conf)
    return "\n".join(lines) + (f"\n{hint.removeprefix('; ').capitalize()}" if hint else "")


def _hint(error: Exception, conf: Path) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        near = suggest(choice, [file.stem for file in (conf / group).glob("*.yaml")])
        return near.replace("'", f"'{group}=", 1) if near else ""
    found = re.search(r"Could not override '([^'@]+)", str(error))
    if not found:
        return ""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        keys = list(_keys(OmegaConf.to_container(compose("train")), ""))
    groups = [folder.name for folder in conf.iterdir() if folder.is_dir()]
    return suggest(found[1], [*keys, *groups])


def _keys(node: object, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            dotted = f"{path}.{key}" if path else str(key)
            yield dotted
            yield from _keys(value, dotted)
