"""The config.yaml of a run folder, read as data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from robustseg.errors import ConfigError, DataError
from robustseg.runs.checked import settings_of
from robustseg.runs.files import DamagedFile, check_plain, decoded, trouble
from robustseg.runs.folder import RunFolder
from robustseg.runs.targets import with_current_names
from robustseg.settings import Settings

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast
_DEPTH = 64  # of nested values
_ALIASES = 100
_LIMIT = 1 << 22  # bytes


def read_config(path: Path, status: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A run's config.yaml as plain values; tags that ask for Python objects are refused.

    Args:
        path: of the file in its run folder, whose status may have its checksum.
        status: of the run as it was found; None: as it is.

    Raises:
        DataError: it is not there, damaged or not plain YAML.
    """
    try:
        config = parse_yaml(decoded(path, RunFolder(path.parent).read(path, status)))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Give the folder of a run") from None
    except DamagedFile as error:
        raise DataError(f"{error.path} {error.reason}") from error
    except OSError as error:
        raise DataError(f"{path} {trouble(error)}") from error
    except ValueError as error:
        raise DataError(f"{path}: not plain YAML ({' '.join(str(error).split())})") from error
    if not isinstance(config, dict):
        raise DataError(f"{path}: not the configuration of a run")
    config = with_current_names(config)
    assert isinstance(config, dict)
    return config


def read_settings(path: Path) -> Settings:
    """The settings of a run.

    Raises:
        DataError: config.yaml is not there, not plain YAML, or has a setting that no run has.
    """
    try:
        return settings_of(read_config(path))
    except ConfigError as error:
        raise DataError(f"{path}: {error}. Is it from a run of robustseg?") from None


def parse_yaml(text: str) -> Any:
    """Plain values of YAML, within the limits of what the program writes.

    The events of the parser are looked at first: deep nesting would end the process in libyaml,
    and aliases of aliases would fill the memory.

    Raises:
        ValueError: it is not plain YAML, or beyond the limits.
    """
    try:
        if len(text) > _LIMIT:
            raise ValueError(f"it has {len(text)} characters, more than {_LIMIT}")
        _check_events(text)
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    check_plain(value, finite=False)
    return value


def _check_events(text: str) -> None:
    anchored: list[bool] = []  # of the collections that are open
    aliases = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if any(anchored) or aliases > _ALIASES:
                raise ValueError("it has aliases of aliases, or too many")
        elif isinstance(event, yaml.CollectionStartEvent):
            anchored.append(event.anchor is not None)
            if len(anchored) > _DEPTH:
                raise ValueError("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchored.pop()
