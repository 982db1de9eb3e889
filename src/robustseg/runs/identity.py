"""What makes two runs the same run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustseg.runs.targets import with_identity_names
from robustseg.setting_groups import Group, default_of, group_of, rules
from robustseg.settings import Settings

SCHEMA = 2  # raise it when the meaning of a setting or of a run's files changes


@dataclass(frozen=True)
class Identity:
    """A run's name and what it was made from.

    Attributes:
        run_id: readable and unique, such as ``isic2017-tloss-a0.7-b0.5-s0-1f2e3d4c``.
        settings: every setting that can change the result, resolved.
        fingerprint: SHA-256 over the data.
    """

    run_id: str
    settings: dict[str, Any]
    fingerprint: str


def identify(settings: Settings, fingerprint: str) -> Identity:
    """Identity of the run that settings describe on data with a fingerprint.

    Left out is what cannot matter: see `relevant`. The id ends in eight hex digits of SHA-256 over
    the relevant settings, the fingerprint and the schema version.
    """
    kept = relevant(settings.plain())
    text = json.dumps([SCHEMA, fingerprint, kept], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Identity("-".join([*_readable(kept), digest]), kept, fingerprint)


def relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change a result, of a configuration as plain values.

    `robustseg.settings` says which they are. Besides, without noise its model, seed and strength
    do not matter, nor does which regulariser is scaled by 0; with `trainer.max_steps` the number
    of epochs does not.
    """
    settings = with_identity_names(_counting(config, Settings))
    if settings["noise"]["alpha"] == 0:
        settings["noise"] = {"alpha": 0.0}
    if not is_regularised(config["regularizer"]):
        settings["regularizer"] = {"name": "none"}
    if settings["trainer"]["max_steps"] is not None:
        settings["trainer"].pop("max_epochs")
    return settings


def is_regularised(regularizer: Mapping[str, Any]) -> bool:
    """Whether a regulariser does anything; one of your own need not have an epsilon."""
    return regularizer["name"] != "none" and regularizer.get("epsilon") != 0


def _counting(config: Mapping[str, Any], kind: type[Group] | None) -> dict[str, Any]:
    """A group without settings that do not count, or count only where they differ from before.

    A class of one's own may have any default for an argument that is left out.
    """
    known = {} if kind is None else rules(kind)
    ours = str(config.get("_target_", "robustseg")).partition(".")[0] in ("robustseg", "torch")
    kept = {}
    for key, value in config.items():
        rule = known.get(key)
        if rule and not rule.identity:
            continue
        unsaid = rule and rule.later and (ours or not rule.argument)
        if kind and unsaid and value == default_of(kind, key):
            continue
        inner = group_of(kind, key)
        # As text, as JSON has keys: numbers would be sorted otherwise.
        kept[str(key)] = _counting(value, inner) if isinstance(value, Mapping) else _number(value)
    return kept


def _number(value: Any) -> Any:
    """Numbers in one spelling: 1 and 1.0 are one setting."""
    if isinstance(value, list | tuple):
        return [_number(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _number(item) for key, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _readable(settings: Mapping[str, Any]) -> list[str]:
    noise, regularizer = settings["noise"], settings["regularizer"]
    dataset = settings["dataset"]
    parts = [dataset["name"], settings["loss"]["name"]]
    if regularizer["name"] != "none":
        epsilon = regularizer.get("epsilon")
        number = isinstance(epsilon, int | float)  # anything else the regulariser refuses
        parts.append(regularizer["name"] + (f"{epsilon:g}" if number else ""))
    if noise["alpha"] == 0:
        parts.append("clean")
    else:
        kind = [] if noise["name"] == "morphological" else [noise["name"]]
        parts += [*kind, f"a{noise['alpha']:g}", f"b{noise['beta']:g}"]
    if {"folds", "fold"} <= dataset.keys():
        parts.append(f"fold{dataset['fold']:g}of{dataset['folds']:g}")
    return [*parts, f"s{settings['seed']:g}"]
