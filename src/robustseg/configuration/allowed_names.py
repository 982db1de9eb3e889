"""Names that become parts of run ids, folders, labels and tags, checked where they enter."""

import re
from collections.abc import Mapping
from typing import Any

from robustseg.errors import ConfigError
from robustseg.runs.contents import check_texts
from robustseg.settings import Settings

# What folders of any system, wandb's ids and tags, and overrides take.
_NAME = re.compile(r"\w(?:[\w .,+=@~()-]*[\w)+])?")
_LONGEST = 64  # characters, as a tag of wandb may have
RUN_ID_LONGEST = 110  # wandb takes 128, also behind the time of a restart
_BYTES = 230  # names of files take 255, likewise


def check_names(settings: Settings) -> None:
    """Refuse names that a run id, a folder or wandb cannot take.

    Raises:
        ConfigError: naming the setting.
    """
    names = {
        "dataset.name": settings.dataset.name,
        "noise.name": settings.noise.name,
        "model.name": settings.model.name,
        "loss.name": settings.loss.name,
        "regularizer.name": settings.regularizer.name,
        "experiment_name": settings.experiment,
    }
    for setting, name in names.items():
        if name is not None and not (len(name) <= _LONGEST and _NAME.fullmatch(name)):
            raise ConfigError(
                f"{setting}={name!r} cannot be a name: it becomes part of run ids and folder "
                "names. It takes letters, digits, spaces and _ . , + = @ ~ ( ) -, begins with a "
                f"letter, digit or _, does not end with a mark, and has {_LONGEST} characters at "
                "most"
            )


def check_run_id(run_id: str) -> None:
    """Refuse a run id that is too long for folders and wandb.

    Raises:
        ConfigError: it says which names are in it.
    """
    if len(run_id.encode()) > _BYTES:
        raise ConfigError(
            f"the run id {run_id} has {len(run_id.encode())} bytes, more than {_BYTES}, which "
            "names of folders have: shorten dataset.name, loss.name, regularizer.name or noise.name"
        )
    if len(run_id) > RUN_ID_LONGEST:
        raise ConfigError(
            f"the run id {run_id} has {len(run_id)} characters, more than {RUN_ID_LONGEST}: "
            "shorten dataset.name, loss.name, regularizer.name or noise.name"
        )


def check_visible(settings: Mapping[str, Any]) -> None:
    """Refuse texts with characters that are not shown, which no table or metrics.json takes.

    Args:
        settings: as nested plain values.

    Raises:
        ConfigError: naming the setting.
    """
    try:
        check_texts(settings)
    except ValueError as error:
        raise ConfigError(
            f"{error}, which tables and metrics.json cannot hold: rename the folder or file, or "
            "leave the character out"
        ) from error
