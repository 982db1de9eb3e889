"""Settings of a configuration composed outside of train.py."""

from collections.abc import Sequence

from robustseg.configuration.buildable import check_targets
from robustseg.configuration.checks import check_choices, resolve
from robustseg.configuration.own_conf import conf_folder, import_from_here
from robustseg.settings import Settings


def composed(overrides: Sequence[str], *groups: str) -> Settings:
    """The settings of train.py's overrides, with some groups' targets checked.

    Raises:
        ConfigError: an override is wrong; the message suggests a right one.
    """
    from hydra import compose, initialize_config_dir

    from robustseg.configuration.messages import explain

    conf = conf_folder()
    import_from_here()
    check_choices(overrides)
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            settings = resolve(compose("train", list(overrides)), of_dataset="dataset" in groups)
    except Exception as error:
        explained = explain(error, conf, overrides)
        if explained is None:
            raise
        raise explained from error
    if groups:
        check_targets(settings, *groups)
    return settings
