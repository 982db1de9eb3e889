"""Settings of a configuration composed outside of train.py."""

from collections.abc import Sequence
from pathlib import Path

import robustseg
from robustseg.configuration.checks import check_targets, resolve
from robustseg.errors import ConfigError
from robustseg.settings import Settings


def conf_folder() -> Path:
    """The folder of configuration groups: of the source tree, else of the current directory.

    Raises:
        ConfigError: there is none.
    """
    for folder in (Path(robustseg.__file__).parents[2] / "conf", Path.cwd() / "conf"):
        if (folder / "train.yaml").exists():
            return folder
    raise ConfigError("there is no conf/train.yaml: call robustseg in the project's folder")


def composed(overrides: Sequence[str], *groups: str) -> Settings:
    """The settings of train.py's overrides, with some groups' targets checked.

    Raises:
        ConfigError: an override is wrong; the message suggests a right one.
    """
    from hydra import compose, initialize_config_dir

    from robustseg.configuration.messages import explain

    conf = conf_folder()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            settings = resolve(compose("train", list(overrides)))
    except Exception as error:
        explained = explain(error, conf)
        if explained is None:
            raise
        raise explained from error
    if groups:
        check_targets(settings, *groups)
    return settings
