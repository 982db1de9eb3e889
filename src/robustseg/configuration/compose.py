"""A configuration composed outside of train.py."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import robustseg
from robustseg.configuration.checks import check_targets, settle
from robustseg.errors import ConfigError


def conf_folder() -> Path:
    """The folder of configuration groups: of the source tree, else of the current directory.

    Raises:
        ConfigError: there is none.
    """
    for folder in (Path(robustseg.__file__).parents[2] / "conf", Path.cwd() / "conf"):
        if (folder / "train.yaml").exists():
            return folder
    raise ConfigError("there is no conf/train.yaml: call robustseg in the project's folder")


def composed(overrides: Sequence[str], *groups: str) -> dict[str, Any]:
    """The settled configuration of train.py's overrides, with some groups' targets checked.

    Raises:
        ConfigError: an override is wrong; the message suggests a right one.
    """
    from hydra import compose, initialize_config_dir

    from robustseg.configuration.messages import explain

    conf = conf_folder()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            config = settle(compose("train", list(overrides)))
    except Exception as error:
        message = explain(error, conf)
        if message is None:
            raise
        raise ConfigError(message) from error
    check_targets({group: config[group] for group in groups})
    return config
