"""What makes two runs the same run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustseg.runs.targets import with_identity_names

SCHEMA = 2  # raise it when the meaning of a setting or of a run's files changes

# Settings that cannot change a result: where things lie, who watches, on how many workers.
_IRRELEVANT = {
    "": ("paths", "logger", "force", "experiment_name", "minutes", "records"),
    "dataset": ("root", "num_workers", "public", "device"),
    "dataset.source": ("root",),
    "trainer": ("name", "accelerator", "threads", "progress", "checkpoint_every"),
}

# Settings that came later, with the value that stands for what was done before there were any:
# runs of before keep their ids.
_LATER: dict[str, dict[str, Any]] = {
    "trainer": {"compile": False},
    "optimizer": {"fused": None},
    "dataset": {"val_fraction": 0},
}


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


def identify(config: Mapping[str, Any], fingerprint: str) -> Identity:
    """Identity of the run that a resolved configuration describes on data with a fingerprint.

    Left out is what cannot matter: see `relevant`. The id ends in eight hex digits of SHA-256 over
    the relevant settings, the fingerprint and the schema version.
    """
    settings = relevant(config)
    text = json.dumps([SCHEMA, fingerprint, settings], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Identity("-".join([*_readable(settings), digest]), settings, fingerprint)


def relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change a result.

    Without noise its model, seed and strength do not matter, nor does which regulariser is scaled
    by 0; with `trainer.max_steps` the number of epochs does not.
    """
    settings = with_identity_names(_without(config, ""))
    if settings["noise"]["alpha"] == 0:
        settings["noise"] = {"alpha": 0.0}
    if not _regularised(config):
        settings["regularizer"] = {"name": "none"}
    if settings["trainer"]["max_steps"] is not None:
        settings["trainer"].pop("max_epochs")
    for group, later in _LATER.items():
        for key, before in later.items():
            if settings[group].get(key) == before:
                settings[group].pop(key, None)
    return settings


def _regularised(config: Mapping[str, Any]) -> bool:
    regularizer = config["regularizer"]
    return regularizer["name"] != "none" and regularizer["epsilon"] != 0


def _without(config: Mapping[str, Any], path: str) -> dict[str, Any]:
    kept = {}
    for key, value in config.items():
        if key in _IRRELEVANT.get(path, ()):
            continue
        inner = f"{path}.{key}" if path else str(key)
        kept[key] = _without(value, inner) if isinstance(value, Mapping) else _plain(value)
    return kept


def _plain(value: Any) -> Any:
    """Numbers in one spelling: 1 and 1.0 are one setting."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _readable(settings: Mapping[str, Any]) -> list[str]:
    noise, regularizer = settings["noise"], settings["regularizer"]
    parts = [settings["dataset"]["name"], settings["loss"]["name"]]
    if regularizer["name"] != "none":
        parts.append(f"{regularizer['name']}{regularizer['epsilon']:g}")
    if noise["alpha"] == 0:
        parts.append("clean")
    else:
        kind = [] if noise["name"] == "morphological" else [noise["name"]]
        parts += [*kind, f"a{noise['alpha']:g}", f"b{noise['beta']:g}"]
    return [*parts, f"s{settings['seed']:g}"]


def labels(config: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """What tables select and group by."""
    noisy = config["noise"]["alpha"] > 0
    regularizer = config["regularizer"] if _regularised(config) else {"name": "none"}
    return {
        "run_id": run_id,
        "dataset": config["dataset"]["name"],
        "subset": config["dataset"]["subset"],
        "batch_size": config["dataset"]["batch_size"],
        "image_size": config["dataset"]["image_size"],
        "model": config["model"]["name"],
        "loss": config["loss"]["name"],
        "domain": config["loss"].get("domain"),
        "regularizer": regularizer["name"],
        "epsilon": regularizer.get("epsilon", 0),
        "noise": config["noise"]["name"] if noisy else None,
        "alpha": config["noise"]["alpha"],
        "beta": config["noise"]["beta"] if noisy else None,
        "noise_seed": config["noise"]["seed"] if noisy else None,
        "seed": config["seed"],
    }


_TEXT, _NUMBER, _NONE = (str,), (int, float), type(None)
_KINDS: dict[str, tuple[type, ...]] = {
    **{"dataset": _TEXT, "loss": _TEXT, "alpha": _NUMBER, "seed": _NUMBER},
    # Where they apply:
    **dict.fromkeys(("subset", "model", "domain", "regularizer", "noise"), (*_TEXT, _NONE)),
    **dict.fromkeys(
        ("batch_size", "image_size", "epsilon", "beta", "noise_seed"), (*_NUMBER, _NONE)
    ),
}


def check_labels(run: Any) -> None:
    """Refuse what `labels` cannot have given.

    Raises:
        ValueError: naming the label.
    """
    if not isinstance(run, dict):
        raise ValueError("the labels of the run are missing")
    for name, kind in _KINDS.items():
        if not isinstance(run.get(name), kind):
            raise ValueError(f"run.{name} is {run.get(name)!r}")
    noisy = run["alpha"] > 0
    if not noisy == (run.get("noise") is not None) == (run.get("beta") is not None):
        raise ValueError("run.alpha, run.noise and run.beta contradict each other")
