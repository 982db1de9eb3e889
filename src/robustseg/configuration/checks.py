"""Checks on a composed configuration, before anything is built from it."""

import difflib
import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from robustseg.configuration import hardware
from robustseg.data.batches.drawable import check_drawable
from robustseg.runs.targets import with_current_names


class ConfigError(ValueError):
    """A setting that cannot work; the message names it and says what would."""


_MINUTES = 1_000_000  # two years: a longer limit is a slip
# Keys of a group that are not arguments of what its `_target_` builds.
_NOT_ARGUMENTS = {
    "model": {"name"},
    "loss": {"name", "parameter_lr"},
    "regularizer": {"name"},
    "optimizer": {"name"},
    "scheduler": {"name"},
    "logger": {"name", "images"},
}
# Arguments that the program adds.
_ADDED = {
    "model": {"in_channels"},
    "optimizer": {"params"},
    "scheduler": {"optimizer"},
    "logger": {"run"},
}
_KEYS = {
    "": "dataset noise model loss regularizer optimizer scheduler augmentation trainer logger "
    "seed force experiment_name minutes records evaluation paths",
    "dataset": "name source root image_size batch_size num_workers subset positive_fraction "
    "train_size val_fraction public device",
    "noise": "name alpha beta seed model",
    "augmentation": "name transforms",
    "evaluation": "every last train_sample batch_size hd95",
    "paths": "runs logs cache",
    "trainer": "name max_epochs max_steps steps_per_epoch accelerator precision channels_last "
    "compile threads gradient_clip_val checkpoint_every progress",
}
_CHOICES: dict[str, tuple[Any, ...]] = {  # of the trainer, once auto is resolved
    "precision": ("32-true", "bf16-mixed", "16-mixed"),
    "accelerator": ("cpu", "gpu"),
    "channels_last": (True, False),
    "compile": (True, False, "graphs"),
    "progress": ("auto", "bar", "lines", "none"),
}


def suggest(word: str, choices: Iterable[str]) -> str:
    """``; did you mean 'gce'?``, or, where nothing is near, what there is to choose from."""
    known = sorted(choices)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}" if len(known) <= 30 else ""


def settle(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, with every ``auto`` resolved for this machine.

    Raises:
        ConfigError: a value is out of range, or a key is unknown.
    """
    config: dict[str, Any] = with_current_names(
        OmegaConf.to_container(_in_epochs(cfg), resolve=True)
    )
    _check_keys(config)
    trainer = config["trainer"]
    trainer.setdefault("compile", False)  # files of one's own may be older than these
    config["dataset"].setdefault("device", "cpu")
    config["dataset"].setdefault("val_fraction", 0)
    config["minutes"], config["records"] = check_call(cfg)
    trainer["accelerator"] = hardware.accelerator(trainer["accelerator"])
    trainer["precision"] = hardware.precision(trainer["precision"], trainer["accelerator"])
    trainer["channels_last"] = hardware.channels_last(
        trainer["channels_last"], trainer["precision"]
    )
    if config["dataset"]["num_workers"] == "auto":
        config["dataset"]["num_workers"] = hardware.workers(trainer["accelerator"])
    if trainer["threads"] == "auto":
        trainer["threads"] = hardware.threads()
    _check_ranges(config)
    return config


def check_call(cfg: DictConfig) -> tuple[float | None, list[str]]:
    """The settings of a call that are no run's: its time limit and its records.

    Raises:
        ConfigError: one is out of range.
    """
    minutes, records = OmegaConf.select(cfg, "minutes"), OmegaConf.select(cfg, "records")
    fits = minutes is None or (_number(minutes) and 0 < minutes <= _MINUTES)
    wanted = f"a number above 0 and up to {_MINUTES}, or null"
    _require(fits, "minutes", minutes, wanted)
    if isinstance(records, ListConfig):
        records = OmegaConf.to_container(records)
    records = [] if records is None else records
    paths = isinstance(records, list) and all(isinstance(path, str) for path in records)
    _require(paths, "records", records, "a list of folders, such as records=[path/to/record]")
    return minutes, records


def _in_epochs(cfg: DictConfig) -> DictConfig:
    """With `max_steps` an epoch is `steps_per_epoch` steps: the unit of schedules, too."""
    if not cfg.trainer.max_steps:
        return cfg
    cfg = cfg.copy()
    steps, each = cfg.trainer.max_steps, cfg.trainer.steps_per_epoch
    if not _counts(steps) or not (each is None or _counts(each)):
        return cfg  # refused with the other ranges
    if each is None:
        evaluations = next((n for n in range(10, 51) if steps % n == 0), 1)
        cfg.trainer.steps_per_epoch = steps // evaluations
    cfg.trainer.max_epochs = steps // cfg.trainer.steps_per_epoch
    return cfg


def _check_keys(config: Mapping[str, Any]) -> None:
    for path, names in _KEYS.items():
        known = names.split()
        for key in config[path] if path else config:
            if key not in known:
                dotted = f"{path}.{key}" if path else key
                raise ConfigError(f"unknown setting '{dotted}'{suggest(key, known)}")


def _check_ranges(config: Mapping[str, Any]) -> None:
    noise, dataset, trainer = config["noise"], config["dataset"], config["trainer"]
    evaluation = config["evaluation"]
    alpha, beta = noise["alpha"], noise["beta"]
    _require(_number(alpha) and 0 <= alpha <= 1, "noise.alpha", alpha, "a share in [0, 1]")
    _require(_number(beta) and 0 < beta < math.inf, "noise.beta", beta, "a strength above 0")
    for key, value in (("noise.seed", noise["seed"]), ("seed", config["seed"])):
        _whole(key, value, 0)
        _require(value < 2**32, key, value, "below 2^32")
    _whole("dataset.image_size", dataset["image_size"], 8)
    _whole("dataset.batch_size", dataset["batch_size"], 1)
    _whole("dataset.num_workers", dataset["num_workers"], 0)
    held = dataset["val_fraction"]
    _require(_number(held) and 0 <= held < 1, "dataset.val_fraction", held, "a share in [0, 1)")
    for key in ("every", "last", "batch_size", "train_sample"):
        _whole(f"evaluation.{key}", evaluation[key], 1)
    _whole("trainer.threads", trainer["threads"], 1)
    for key, choices in _CHOICES.items():
        wanted = "one of " + ", ".join(str(choice).lower() for choice in choices)
        _require(trainer[key] in choices, f"trainer.{key}", trainer[key], wanted)
    every, clip = trainer["checkpoint_every"], trainer["gradient_clip_val"]
    _require(_number(every) and every >= 0, "trainer.checkpoint_every", every, "seconds ≥ 0")
    finite = clip is None or (_number(clip) and 0 < clip < math.inf)
    _require(finite, "trainer.gradient_clip_val", clip, "a norm above 0, or null")
    if trainer["compile"] == "graphs" and trainer["accelerator"] == "cpu":
        raise ConfigError("trainer.compile=graphs needs a GPU: take true or false")
    _check_precision(config)
    _check_device(dataset["device"], config)
    _check_length(trainer)


def _check_length(trainer: Mapping[str, Any]) -> None:
    if trainer["max_steps"] is None:
        _whole("trainer.max_epochs", trainer["max_epochs"], 1)
        return
    _whole("trainer.max_steps", trainer["max_steps"], 1)
    steps = trainer["steps_per_epoch"]
    _whole("trainer.steps_per_epoch", steps, 1)
    if trainer["max_steps"] % steps:
        raise ConfigError(
            f"trainer.steps_per_epoch={steps}, the steps between evaluations, must divide "
            f"trainer.max_steps={trainer['max_steps']}"
        )


def _check_precision(config: Mapping[str, Any]) -> None:
    trainer = config["trainer"]
    if trainer["precision"] == "16-mixed" and trainer["accelerator"] == "cpu":
        raise ConfigError(
            "trainer.precision=16-mixed needs a GPU (Lightning would train in bfloat16 on a CPU): "
            "take bf16-mixed or 32-true"
        )
    clipped = trainer["gradient_clip_val"] is not None
    if clipped and trainer["precision"] != "32-true" and config["optimizer"].get("fused"):
        raise ConfigError(
            "optimizer.fused=true cannot clip gradients in mixed precision: "
            "leave out trainer.gradient_clip_val or take optimizer.fused=false"
        )


def _check_device(device: Any, config: Mapping[str, Any]) -> None:
    _require(device in ("cpu", "cuda"), "dataset.device", device, "one of cpu, cuda")
    accelerator = config["trainer"]["accelerator"]
    if device == "cuda" and accelerator != "gpu":
        raise ConfigError(
            "dataset.device=cuda needs a network on the GPU, but the accelerator is "
            f"{accelerator}: leave dataset.device at cpu"
        )
    if device == "cuda":
        transforms = config["augmentation"]["transforms"]
        try:
            check_drawable(str(each.get("_target_")).rpartition(".")[2] for each in transforms)
        except ValueError as error:
            raise ConfigError(str(error)) from error


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _counts(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _whole(name: str, value: Any, least: int) -> None:
    _require(_counts(value, least), name, value, f"a whole number ≥ {least}")


def _require(holds: bool, name: str, value: Any, wanted: str) -> None:
    if not holds:
        raise ConfigError(f"{name}={value} is out of range: it must be {wanted}")


def check_targets(config: Mapping[str, Any]) -> None:
    """Check the arguments of every `_target_` against its signature.

    Raises:
        ConfigError: a target cannot be found, an argument is unknown or one is missing.
    """
    _walk(config, "")


def _walk(node: Any, path: str) -> None:
    if isinstance(node, list):
        for at, item in enumerate(node):
            _walk(item, f"{path}[{at}]")
    if not isinstance(node, Mapping):
        return
    if "_target_" in node:
        _check_target(node, path)
    for key, value in node.items():
        _walk(value, f"{path}.{key}" if path else str(key))


def _check_target(node: Mapping[str, Any], path: str) -> None:
    from hydra.utils import get_object  # what only reads results never gets here

    target = node["_target_"]
    try:
        parameters = inspect.signature(get_object(target)).parameters
    except Exception as error:
        raise ConfigError(f"{path}._target_={target} cannot be loaded: {error}") from error
    given = {key for key in node if not key.startswith("_")} - _NOT_ARGUMENTS.get(path, set())
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in sorted(given - set(parameters)):
            known = set(parameters) | _NOT_ARGUMENTS.get(path, set())
            raise ConfigError(
                f"{target} takes no '{key}' (setting '{path}.{key}'){suggest(key, known)}"
            )
    required = {
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    missing = required - given - _ADDED.get(path, set())
    if missing:
        raise ConfigError(f"{target} needs {', '.join(sorted(missing))}: set {path}.<name>")
