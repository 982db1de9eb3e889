"""Errors of the user's making as messages; of a wrong override with the nearest right one."""

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.utils import get_class
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from robustseg.configuration.own_conf import own_folders
from robustseg.errors import ConfigError, UserError
from robustseg.setting_groups import Group, Part, group_of
from robustseg.settings import Settings
from robustseg.terminal.suggestion import nearest, shorter, suggestion

_LOGS = "paths.logs"

# What other programs call our settings, by the last part of a name.
_ALIASES = {
    "bs": "dataset.batch_size",
    "data": "dataset.root",
    "data_dir": "dataset.root",
    "encoder": "model.encoder_name",
    "epochs": "trainer.max_epochs",
    "learning_rate": "optimizer.lr",
    "path": "dataset.root",
    "size": "dataset.image_size",
    "steps": "trainer.max_steps",
    "wd": "optimizer.weight_decay",
    "workers": "dataset.num_workers",
}


def explain(
    error: BaseException, conf: Path | None = None, overrides: Sequence[str] = ()
) -> UserError | None:
    """The message of an error: of Hydra's with what was meant, of a constructor's its refusal.

    Args:
        error: what was raised.
        conf: the folder of configuration groups, to find what was meant; None: no search.
        overrides: of the command line.

    Returns:
        The error to be reported; None for one that is not of the user's making.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return ConfigError(_not_yaml(error, error.problem_mark))
    if isinstance(error, InstantiationException):  # whatever a constructor raised
        if found := re.search(r"Sweeper.*unexpected keyword argument '(.+)'", str(error)):
            return ConfigError(f"hydra.sweeper has no setting {found[1]!r}: indent it under params")
        pattern = r"'([\w.]+Launcher)'[\s\S]*unexpected keyword argument '(.+)'"
        if found := re.search(pattern, str(error)):
            return ConfigError(_no_launcher_option(found[1], found[2]))
        cause = error.__cause__
        if isinstance(cause, UserError):
            return cause
        return ConfigError(shorter(str(cause))) if isinstance(cause, ValueError) else None
    if isinstance(error, OverrideParseException):
        return ConfigError(_unreadable(error.override, overrides))
    if isinstance(error, OSError) and error.errno is not None and error.filename:
        return UserError(_of_file(error, overrides))
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    text = str(error).split("\nConfig search path:")[0]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return ConfigError(_no_choice(error, text, overrides))
    if found := re.match(r"Ambiguous value for argument '(.*)'", text):
        if found[1].lstrip("+").startswith("experiment="):
            return ConfigError(
                f"{found[1]} has several values: run the command once per experiment"
            )
        return ConfigError(
            f"{found[1]} has several values: add -m to train with each of them, or quote it if it "
            f"is one text: {_quoted(found[1])}"
        )
    found = re.match(r"Multiple values for (\S+)\. To override", text)
    if found and (twice := [one for one in overrides if one.startswith(f"+{found[1]}=")]):
        return ConfigError(f"there is one {found[1]}: write {twice[0][1:]}, without +")
    if conf and (found := re.search(r"Could not override '([^'@]+)", text)):
        return ConfigError(_no_setting(found[1], conf, overrides))
    if error.__cause__ is not None and str(error.__cause__) not in text:
        text += "\n" + str(error.__cause__).splitlines()[0]
    return ConfigError(text)


def _no_launcher_option(launcher: str, name: str) -> str:
    options = inspect.signature(get_class(launcher)).parameters
    known = suggestion(name, options) if options else "it has none"
    return f"hydra.launcher has no option {name}; {known}"


def _of_file(error: OSError, overrides: Sequence[str]) -> str:
    """What the system says of a file; of one of Hydra's logs with the setting that moves them."""
    named = [word.removeprefix(f"{_LOGS}=") for word in overrides if word.startswith(f"{_LOGS}=")]
    logs = Path(named[-1] if named else "logs").absolute()
    said = f"{error.filename} cannot be read or written ({error.strerror})"
    if Path(error.filename).absolute().is_relative_to(logs):
        said += f". Logs are written to {_LOGS}=…: name a folder that can be"
    return said


def _not_yaml(error: yaml.MarkedYAMLError, mark: yaml.Mark) -> str:
    """Where a file of settings stops being YAML, and why."""
    problem = str(error.problem)
    if "'\\t'" in problem:
        problem = "a tab: indent with spaces"
    return f"{mark.name}, line {mark.line + 1}: not valid YAML ({problem})"


def _unreadable(override: str, overrides: Sequence[str]) -> str:
    """What is wrong with words that are not overrides."""
    if override.endswith(",") and "=" in override:
        at = list(overrides).index(override) + 1 if override in overrides else len(overrides)
        joined = override + "".join(_alone(overrides[at:]))
        return f"no space after a comma, and none at the end: {joined.rstrip(',')}"
    if override in overrides[:1] and Path(override).is_dir():
        root = f"dataset.root={override}"
        plain = re.fullmatch(r"[\w./~-]+", override, re.ASCII)
        return f"{override!r} is a folder: write dataset=folder {root if plain else _quoted(root)}"
    if "=" not in override.strip("="):
        return f"{override!r} is not NAME=VALUE; {_joined(override, overrides)}"
    quoted = _quoted(override)
    try:
        OverridesParser.create().parse_override(shlex.split(quoted)[0])
    except HydraException:
        return f"{override!r} cannot be read; quote a value so: 'dataset.root=\"/data (1)\"'"
    return (
        f"a value with spaces, non-ASCII characters or marks such as = ( [ needs quotes: {quoted}"
    )


def _joined(word: str, overrides: Sequence[str]) -> str:
    """How a word without a name belongs to its neighbours on the command line."""
    at = list(overrides).index(word) if word in overrides else 0
    alone = _alone(overrides[at:])
    before = overrides[at - 1] if at else ""
    name, _, value = before.partition("=")
    parts = overrides[at - 1 : at + 1] if name and before == f"{name}=" else overrides[at : at + 3]
    if (
        re.fullmatch(r"[\w./@+~]+", name)
        and value
        and not overrides[at + len(alone) :][:1] == ["="]
    ):
        if set(value) & set("/\\"):  # a path
            return f"a value with spaces needs quotes: {_quoted(' '.join([before, *alone]))}"
        return f"values are separated by commas: {','.join([before, *alone])}"
    joined = "".join(parts)
    example = joined if re.fullmatch(r"[\w./@]+=[^=]+", joined) else "loss=tloss"
    return f"write it without spaces, such as {example}"


def _alone(words: Sequence[str]) -> list[str]:
    """The first words, up to one that is an override or an option."""
    return list(takewhile(lambda one: "=" not in one and not one.startswith("-"), words))


def _quoted(override: str) -> str:
    name, _, value = override.partition("=")
    if value.startswith("[") and value.endswith("]"):
        parts = ",".join(_in_quotes(part.strip()) for part in value[1:-1].split(","))
        return shlex.quote(f"{name}=[{parts}]")
    return shlex.quote(f"{name}={_in_quotes(value)}")


def _in_quotes(value: str) -> str:
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def _no_choice(error: MissingConfigException, text: str, overrides: Sequence[str]) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    choices = set(error.options or ())
    if not group or not choices:
        return text
    plus = "+" if any(override.startswith(f"+{group}=") for override in overrides) else ""
    said = f"there is no {plus}{group}={choice}"
    if group == "noise" and choice in ("none", "clean", "no"):
        return f"{said}: noise.alpha=0 trains on the masks as they are"
    near = nearest(choice, choices)
    if near:
        return f"{said}: did you mean {plus}{group}={near}?"
    return f"{said}; {suggestion(choice, choices)}"


def _no_setting(key: str, conf: Path, overrides: Sequence[str]) -> str:
    """What to say of an override of a setting that does not exist."""
    value = next((o.partition("=")[2] for o in overrides if o.partition("=")[0] == key), None)
    folders = [folder for home in (conf, *own_folders()) for folder in home.iterdir()]
    groups = {folder.name for folder in folders if folder.is_dir()}
    inside = "hydra" if key.startswith("hydra.") else ""
    chosen = [
        o.partition(",")[0]
        for o in overrides
        if o.partition("=")[0] in groups or (inside and o.startswith("hydra/"))
    ]
    keys = list(_keys(_composed(conf, chosen, inside), inside))
    said = f"unknown setting {key}"
    meant = _meant(key, keys, groups)
    if meant:
        given = "" if value is None else f"={value}"
        shown = [
            _chosen(name, value, conf, "" if name in keys else "+")
            if name in groups
            else name + given
            for name in meant
        ]
        return f"{said}: did you mean {' or '.join(shown)}?"
    group, _, name = key.rpartition(".")
    own = [k for k in keys if k.rpartition(".")[0] == group and not k.endswith("._target_")]
    listed = f"; {group} has {', '.join(own)}" if group and own else ""
    if _is_built(group) and value is not None:
        listed += f". To pass {name} to what {group} builds, write +{key}={value}"
    if group == "hydra.launcher" and not own:
        listed = ". Choose a launcher that has it: hydra/launcher=local, slurm or ray"
    return f"{said}{listed or '; robustseg train --help lists them'}"


def _is_built(group: str) -> bool:
    """Whether a group describes a class, which may take more arguments than are listed."""
    kind: type[Group] | None = Settings
    for name in group.split("."):
        kind = group_of(kind, name)
    return kind is not None and issubclass(kind, Part)


def _chosen(group: str, value: str | None, conf: Path, plus: str) -> str:
    """A group with the choices that are nearest to those typed; without, if none is near."""
    files = [file for home in (conf, *own_folders()) for file in (home / group).glob("*.yaml")]
    choices = {file.stem for file in files}
    typed = [] if value is None else value.split(",")
    meant = [one if one in choices else nearest(one, choices) or "" for one in typed]
    return f"{plus}{group}={','.join(meant)}" if typed and all(meant) else f"{plus}{group}"


def _meant(key: str, keys: Sequence[str], groups: set[str]) -> list[str]:
    """The settings that a name may stand for, if any is near."""
    group, _, last = key.rpartition(".")
    if _ALIASES.get(last) in keys:
        return [_ALIASES[last]]
    inside = [known for known in keys if known.startswith(f"{group}.")] if group else []
    near = nearest(key, inside or [*keys, *groups]) if len(last) > 2 else None
    if near and nearest(last, [near.rpartition(".")[2]]):
        return [near]
    same = [known for known in keys if known.rpartition(".")[2] == last]
    return same if len(same) <= 3 else []


def _composed(conf: Path, chosen: Sequence[str], inside: str) -> object:
    """The settings; those of Hydra's own, of a launcher say, if `inside` is "hydra"."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        try:
            config = compose("train", list(chosen), return_hydra_config=bool(inside))
        except HydraException:  # a choice is wrong, too: it is reported next
            config = compose("train", return_hydra_config=bool(inside))
    return OmegaConf.to_container(config[inside] if inside else config)


def _keys(node: object, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            dotted = f"{path}.{key}" if path else str(key)
            yield dotted
            yield from _keys(value, dotted)
