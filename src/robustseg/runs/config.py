"""The config.yaml of a run folder, read as data."""

from pathlib import Path
from typing import Any

import yaml

from robustseg.errors import ConfigError, DataError
from robustseg.runs.checked import settings_of
from robustseg.runs.targets import with_current_names
from robustseg.settings import Settings

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


def read_config(path: Path) -> dict[str, Any]:
    """A run's config.yaml as plain values; tags that ask for Python objects are refused.

    Raises:
        DataError: it is not there, or not plain YAML.
    """
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Give the folder of a run") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
        raise DataError(f"{path}: {error}. Is it of a run of robustseg?") from None
