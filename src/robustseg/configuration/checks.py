"""A composed configuration becomes settings: resolved for this machine, and checked."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from robustseg.configuration import hardware
from robustseg.configuration.allowed_names import check_names
from robustseg.configuration.own_conf import conf_folder, own_folders
from robustseg.data.batches.drawable import check_drawable
from robustseg.errors import ConfigError
from robustseg.runs.checked import allows_auto, check_setting, settings_of
from robustseg.runs.targets import with_current_names
from robustseg.setting_groups import group_of, rules
from robustseg.settings import Settings
from robustseg.terminal.printable import is_plain, printable

_AUTO = {"accelerator", "precision", "channels_last", "threads"}
_LONG = 100  # optimiser steps that are evaluated more than once


def resolve(cfg: DictConfig, of_dataset: bool = True) -> Settings:
    """The settings of a composed configuration, with every ``auto`` resolved for this machine.

    Args:
        cfg: as Hydra composes it.
        of_dataset: whether ``dataset.root`` is the folder of its data set, not of a finished run's.

    Raises:
        ConfigError: a value is out of range, a setting is unknown, or two contradict each other.
    """
    given = with_current_names(OmegaConf.to_container(_in_epochs(cfg), resolve=True))
    _check_named(given)
    settings = settings_of(_with_cache(_on_this_machine(given)))
    check_names(settings)
    _check_places(settings)
    if of_dataset:
        _check_root(settings)
    _check_length(settings)
    _check_folds(settings)
    _check_classes(settings)
    _check_precision(settings)
    _check_device(settings)
    return settings


def check_call(cfg: DictConfig) -> tuple[float | None, list[str]]:
    """The settings of a command, not of a run: its time limit and its records.

    Raises:
        ConfigError: one is out of range.
    """
    minutes, records = OmegaConf.select(cfg, "minutes"), OmegaConf.select(cfg, "records")
    if isinstance(records, ListConfig):
        records = OmegaConf.to_container(records)
    return check_setting("minutes", minutes), check_setting("records", records)


def check_choices(words: Iterable[str]) -> None:
    """Check the words of a call that choose from a group, such as loss=gce, before Hydra does.

    Hydra merges the parts of a list of choices into one, and ends in a traceback over null.

    Raises:
        ConfigError: one is a list, or no name.
    """
    homes = [conf_folder(), *own_folders()]
    groups = {folder.name for home in homes for folder in home.iterdir() if folder.is_dir()}
    for word in words:
        group, equals, value = word.partition("=")
        if not equals or group not in groups:
            continue
        if re.fullmatch(r"\[.*\]", value):
            names = value[1:-1].replace(" ", "")
            raise ConfigError(
                f"{word}: a run has one {group}. To train with each: -m {group}={names}"
            )
        if re.fullmatch(r"(?i)null|true|false|nan|[+-]?inf|[+-]?[\d._]+(e[+-]?\d+)?", value):
            files = (file for home in homes for file in (home / group).glob("*.yaml"))
            there = ", ".join(sorted({file.stem for file in files}))
            raise ConfigError(f"{word}: there is no {group} of that name; there are: {there}")


def check_overrides(overrides: Iterable[str]) -> None:
    """Check the values of overrides that are those of a setting alone, without composing.

    What depends on other settings, or on the machine of the run, is left to `resolve`.

    Raises:
        ConfigError: one is out of range.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for override in OverridesParser.create().parse_overrides(list(overrides)):
        name, value = override.key_or_group, override.value()
        if override.is_delete() or override.package or name in ("minutes", "records"):
            continue  # the latter are the call's: `check_call`
        if "${" in str(value) or (value == "auto" and allows_auto(name)):
            continue
        check_setting(name, "gpu" if (name, value) == ("trainer.accelerator", "cuda") else value)


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
        if evaluations == 1 and steps >= _LONG:
            return cfg  # refused: nothing would be evaluated or kept before the end
        cfg.trainer.steps_per_epoch = steps // evaluations
    cfg.trainer.max_epochs = max(1, steps // cfg.trainer.steps_per_epoch)
    return cfg


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _on_this_machine(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with `auto` resolved for this machine; invalid values stay as they are."""
    trainer: Any = config.get("trainer")
    dataset: Any = config.get("dataset")
    if not isinstance(dataset, dict) or not isinstance(trainer, dict) or not _AUTO <= set(trainer):
        return config  # refused with the other ranges
    accelerator: Any = hardware.accelerator(trainer["accelerator"])
    precision: Any = hardware.precision(trainer["precision"], accelerator)
    layout = hardware.channels_last(trainer["channels_last"], str(precision))
    trainer |= {"accelerator": accelerator, "precision": precision, "channels_last": layout}
    if trainer["threads"] == "auto":
        trainer["threads"] = hardware.threads()
    if dataset.get("num_workers") == "auto":
        dataset["num_workers"] = hardware.workers(accelerator)
    if config.get("records") is None:  # as an override may say for none
        config["records"] = []
    return config


def _with_cache(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the home folder in the place of ~ in paths.cache."""
    paths: Any = config.get("paths")
    if not isinstance(paths, dict) or not isinstance(paths.get("cache"), str):
        return config  # refused with the other ranges
    cache = os.path.expanduser(paths["cache"])
    if not cache or cache.startswith("~"):
        raise ConfigError(
            f"paths.cache={cache} cannot be a folder. Set ROBUSTSEG_CACHE or paths.cache to a "
            "folder for decoded images, or set HOME"
        )
    return config | {"paths": paths | {"cache": cache}}


def _check_named(given: Mapping[str, Any]) -> None:
    """Each choice says its name, which a file of one's own may lack."""
    for group, values in given.items():
        kind = group_of(Settings, group)
        if kind and "name" in rules(kind) and isinstance(values, Mapping) and "name" not in values:
            raise ConfigError(f"{group} has no name: add name: to {_file_of(group)}")


def _file_of(group: str) -> str:
    """The file of the choice of a group, where Hydra's main knows it."""
    from hydra.core.hydra_config import HydraConfig

    choice = HydraConfig.get().runtime.choices.get(group) if HydraConfig.initialized() else None
    files = [home / group / f"{choice}.yaml" for home in (*own_folders(), conf_folder())]
    return next((str(file) for file in files if file.exists()), f"the file of {group}=…")


def _check_places(settings: Settings) -> None:
    for name in ("runs", "logs"):
        if not getattr(settings.paths, name):
            raise ConfigError(f"paths.{name} is empty: name a folder, such as paths.{name}={name}")


def _check_root(settings: Settings) -> None:
    """Refuse a folder that the data set does not read: numbers would be of other images."""
    dataset = settings.dataset
    if dataset.root is None or dataset.root in dataset.source.arguments().values():
        return
    raise ConfigError(
        f"dataset={dataset.name} does not read dataset.root={dataset.root}: name the data set of "
        "that folder, such as dataset=folder"
    )


def _check_length(settings: Settings) -> None:
    steps, each = settings.trainer.max_steps, settings.trainer.steps_per_epoch
    if steps is None and each is not None:
        raise ConfigError(
            f"trainer.steps_per_epoch={each} is for trainer.max_steps: also set "
            "trainer.max_steps, or leave trainer.steps_per_epoch out"
        )
    if steps is not None and each is None:
        raise ConfigError(
            f"trainer.max_steps={steps} does not divide into 10 to 50 equal parts, after which to "
            f"evaluate: take trainer.max_steps={steps - steps % 10}, or set "
            "trainer.steps_per_epoch to a divisor of it"
        )
    if steps is not None and each is not None and steps % each:
        raise ConfigError(
            f"trainer.steps_per_epoch={each}, the steps between evaluations, must divide "
            f"trainer.max_steps={steps}"
        )


def _check_folds(settings: Settings) -> None:
    folds, fold = settings.dataset.folds, settings.dataset.fold
    if folds is None and fold is not None:
        raise ConfigError(f"dataset.fold={fold} of how many? Add dataset.folds=5")
    if folds is not None and fold is None:
        every = ",".join(map(str, range(folds)))
        raise ConfigError(
            f"dataset.folds={folds} needs the fold that is held out: add dataset.fold=0, or "
            f"-m dataset.fold={every} for all"
        )
    if folds is not None and fold is not None and fold >= folds:
        raise ConfigError(
            f"dataset.fold={fold}: of dataset.folds={folds} folds the last is {folds - 1}"
        )


def _check_classes(settings: Settings) -> None:
    names = settings.dataset.classes
    if names is None:
        return
    if len(names) < 2:
        raise ConfigError(
            f"dataset.classes={names} needs two names or more, the background first, such as "
            "dataset.classes=[background,left lung,right lung]; null for binary masks"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"dataset.classes has {twice[0]!r} twice: each class has its own name")
    for name in names:  # they are part of the names of columns and numbers
        if not name.strip() or not is_plain(name) or set(name) & set("/,.="):
            raise ConfigError(
                f"dataset.classes has {printable(name)!r}: a name has letters, and none of / , . ="
            )


def _check_precision(settings: Settings) -> None:
    trainer = settings.trainer
    if trainer.compile == "graphs" and trainer.accelerator == "cpu":
        raise ConfigError("trainer.compile=graphs needs a GPU: take true or false")
    if trainer.cuda_graphs and trainer.accelerator == "cpu":
        raise ConfigError("trainer.cuda_graphs=true needs a GPU: leave it at false")
    if trainer.cuda_graphs and trainer.compile:
        raise ConfigError(
            "trainer.cuda_graphs=true replays what is not compiled: take it or "
            f"trainer.compile={str(trainer.compile).lower()}, not both"
        )
    if trainer.precision == "16-mixed" and trainer.accelerator == "cpu":
        raise ConfigError(
            "trainer.precision=16-mixed needs a GPU (Lightning would train in bfloat16 on a CPU): "
            "take bf16-mixed or 32-true"
        )
    clipped = trainer.gradient_clip_val is not None
    if clipped and trainer.precision != "32-true" and settings.optimizer.fused:
        raise ConfigError(
            "optimizer.fused=true cannot clip gradients in mixed precision: "
            "leave out trainer.gradient_clip_val or take optimizer.fused=false"
        )


def _check_device(settings: Settings) -> None:
    if settings.dataset.device != "cuda":
        return
    accelerator = settings.trainer.accelerator
    if accelerator != "gpu":
        raise ConfigError(
            "dataset.device=cuda needs a network on the GPU, but the accelerator is "
            f"{accelerator}: leave dataset.device at cpu"
        )
    names = (str(part.target).rpartition(".")[2] for part in settings.augmentation.transforms)
    try:
        check_drawable(names)
    except ValueError as error:
        raise ConfigError(str(error)) from error
