"""Run ids of every preset and every choice stay what they are: finished runs are found by them.

`tests/golden/run_ids.csv` holds the id of every cell of every experiment and of every choice of
every group alone, on data with a fixed fingerprint and with a fixed answer to what `auto` leaves to
the machine. An id that changes makes finished runs train again. Where that is meant, because the
numbers change, write the file anew and list the ids in CHANGELOG.md:

    python -m tests.runs.test_preset_ids
"""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from robustseg.configuration.checks import resolve
from robustseg.runs.checked import settings_of
from robustseg.runs.identity import identify
from robustseg.settings import Settings

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
GOLDEN = ROOT / "tests" / "golden" / "run_ids.csv"

MACHINE = {"precision": "bf16-mixed", "channels_last": True, "accelerator": "cpu"}
NOT_SETTINGS = {"experiment", "hydra", "logger"}  # groups that no result depends on


def run_ids() -> dict[str, str]:
    """The run id of each call, by its overrides."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return dict(itertools.chain(ids_of_choices(), ids_of_experiments()))


def ids_of_choices() -> Iterator[tuple[str, str]]:
    yield "", run_id(settings_on_machine(compose("train")))
    for group in sorted(folder.name for folder in CONF.iterdir() if folder.is_dir()):
        if group in NOT_SETTINGS:
            continue
        for choice in choices(group):
            overrides = [f"{group}={choice}"]
            if group == "noise":
                overrides.append("noise.alpha=0.5")  # without noise its model is not in the id
            settings = settings_on_machine(compose("train", overrides))
            yield " ".join(overrides), run_id(settings)


def ids_of_experiments() -> Iterator[tuple[str, str]]:
    for experiment in choices("experiment"):
        preset = f"+experiment={experiment}"
        params = compose("train", [preset], return_hydra_config=True).hydra.sweeper.params
        swept = OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in params.items()])
        axes = [[(each.key_or_group, value) for value in values_of(each)] for each in swept]
        grouped = [axis for axis in axes if (CONF / axis[0][0]).is_dir()]
        plain = [axis for axis in axes if axis not in grouped]
        for chosen in itertools.product(*grouped):
            groups = [f"{key}={value}" for key, value in chosen]
            first = [f"{key}={value}" for (key, value), *_ in plain]
            settings = settings_on_machine(compose("train", [preset, *groups, *first]))
            for values in itertools.product(*plain):
                dotted = [f"{key}={value}" for key, value in values]
                yield " ".join([preset, *groups, *dotted]), run_id(changed(settings, dotted))


def values_of(swept: Override) -> list[str]:
    if not swept.is_sweep_override():  # a preset that narrows another's grid to one value
        return [str(swept.get_value_element_as_str())]
    return list(swept.sweep_string_iterator())


def choices(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def changed(settings: Settings, dotted: list[str]) -> Settings:
    """The settings with plain values set, which costs a hundredth of composing them again."""
    plain = settings.plain()
    for key, value in (override.split("=") for override in dotted):
        *way, last = (int(part) if part.isdigit() else part for part in key.split("."))
        node = plain
        for part in way:
            node = node[part]
        node[last] = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]))["value"]
    return settings_of(plain)


def settings_on_machine(cfg: DictConfig) -> Settings:
    for key, value in MACHINE.items():
        if cfg.trainer[key] == "auto":
            cfg.trainer[key] = value
    return resolve(cfg)


def run_id(settings: Settings) -> str:
    return identify(settings, "0" * 64).run_id


def test_no_run_id_of_a_preset_or_a_choice_has_changed():
    with GOLDEN.open(newline="") as file:
        golden = {row["overrides"]: row["run_id"] for row in csv.DictReader(file)}
    now = run_ids()
    differing = [
        f"{overrides or '(the plain call)'}: {golden.get(overrides)} → {now.get(overrides)}"
        for overrides in golden | now
        if golden.get(overrides) != now.get(overrides)
    ]
    assert not differing, "\n".join([f"{len(differing)} run ids differ:", *differing])


def test_setting_values_gives_the_id_of_composing_them():
    overrides = ["loss=tloss_code", "noise.alpha=0.3", "noise.beta=0.7", "seed=2"]
    preset = "+experiment=tloss_isic2017_code"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = run_id(settings_on_machine(compose("train", [preset, *overrides])))
        settings = settings_on_machine(compose("train", [preset, overrides[0]]))
    assert run_id(changed(settings, overrides[1:])) == composed


if __name__ == "__main__":
    with GOLDEN.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["overrides", "run_id"])
        writer.writerows(run_ids().items())
