"""Errors of the user's making as messages; of a wrong override with the nearest right one."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from robustseg.errors import ConfigError, UserError
from robustseg.terminal.suggestion import nearest, suggestion


def explain(error: BaseException, conf: Path | None = None) -> UserError | None:
    """What to tell of an error: its message, or Hydra's with its cause and a "did you mean".

    Of a constructor that refuses its arguments it is the refusal alone.

    Args:
        error: what was raised.
        conf: the folder of configuration groups, to find what was meant; None: no search.

    Returns:
        The error to be told; None for one that is not of the user's making.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, InstantiationException):  # whatever a constructor raised
        cause = error.__cause__
        if isinstance(cause, UserError):
            return cause
        return ConfigError(str(cause)) if isinstance(cause, ValueError) else None
    if isinstance(error, OSError) and error.errno is not None and error.filename:
        # A run notes its own; what is left is where Hydra makes its folders.
        return UserError(
            f"{error.filename} cannot be read or written ({error.strerror}). Logs are written to "
            "paths.logs=…: name a folder that can be"
        )
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    lines = [str(error).split("\nConfig search path:")[0]]
    if error.__cause__ is not None and str(error.__cause__) not in lines[0]:
        lines.append(str(error.__cause__).splitlines()[0])
    hint = _hint(error, conf) if conf else ""
    return ConfigError("\n".join([*lines, f"{hint[0].upper()}{hint[1:]}"] if hint else lines))


def _hint(error: Exception, conf: Path) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        choices = {file.stem for file in (conf / group).glob("*.yaml")}
        near = nearest(choice, choices)
        if near:
            return f"did you mean {group}={near}?"
        return suggestion(choice, choices) if choices else ""
    found = re.search(r"Could not override '([^'@]+)", str(error))
    if not found:
        return ""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        keys = list(_keys(OmegaConf.to_container(compose("train")), ""))
    groups = [folder.name for folder in conf.iterdir() if folder.is_dir()]
    near = nearest(found[1], [*keys, *groups])
    return f"did you mean {near}?" if near else ""


def _keys(node: object, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            dotted = f"{path}.{key}" if path else str(key)
            yield dotted
            yield from _keys(value, dotted)
