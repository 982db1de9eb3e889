"""The plan of a campaign against the grids of its presets."""

import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from functools import cache
from itertools import product

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from robustseg.data.batches.drawable import check_drawable
from tests.conftest import CONF, ROOT

spec = importlib.util.spec_from_file_location("campaign", ROOT / "experiments" / "campaign.py")
campaign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(campaign)


@cache
def grid(preset):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"+experiment={preset}"], return_hydra_config=True)
    return {key: str(values).split(",") for key, values in cfg.hydra.sweeper.params.items()}


def cells(part):
    """The cells of a part of the plan, each a set of overrides."""
    swept = grid(part.preset) | {
        key: values.split(",") for key, values in (one.split("=") for one in part.overrides)
    }
    return {frozenset(zip(swept, values, strict=True)) for values in product(*swept.values())}


TWO_SEEDS = ("tloss_why", "tloss_area")  # experiments with both seeds in one part
PRESETS = sorted({part.preset for part in campaign.plan()})


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plan_covers_the_grid_and_no_more(preset):
    everything = {
        frozenset(zip(grid(preset), v, strict=True)) for v in product(*grid(preset).values())
    }
    planned = set().union(*(cells(part) for part in campaign.plan() if part.preset == preset))
    assert planned == everything


def test_every_cell_has_a_seed_before_any_has_two():
    only = [{dict(cell)["seed"] for cell in cells(part)} == {"0"} for part in campaign.plan()]
    assert only == sorted(only, reverse=True)
    first = {part.preset for part, alone in zip(campaign.plan(), only, strict=True) if alone}
    assert first == {preset for preset in PRESETS if not preset.startswith(TWO_SEEDS)}


def test_the_method_is_tried_beside_the_main_comparison_and_before_the_other_cells():
    order = [
        (part.preset, frozenset(part.overrides))
        for part in campaign.plan()
        if part.experiment == "tloss_shenzhen_small"
    ]
    noise = {"noise.alpha=0.7,0.0", "noise.beta=0.7", "seed=0"}
    table = "tloss_shenzhen_small"
    assert order[:4] == [
        (table, frozenset({*noise, "loss=tloss,gce,mae,ce"})),
        (f"{table}_area", frozenset(noise)),
        (table, frozenset({"seed=0"})),
        (f"{table}_area", frozenset({"seed=0"})),
    ]


def test_a_data_set_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["campaign.py", "--data", str(tmp_path)])
    assert campaign.main() == 2
    told = capsys.readouterr().err
    assert f"no folder {tmp_path / 'histopathology'} (see robustseg data download)" in told
    assert "without tloss_shenzhen_small\n" in told


def test_experiments_on_the_other_data_sets_are_trained(tmp_path, monkeypatch, capsys):
    trained = []
    monkeypatch.setattr(campaign, "_frozen", lambda: nullcontext(tmp_path))
    monkeypatch.setattr(campaign, "_train", lambda copy, part, *_: trained.append(part) or 0)
    monkeypatch.setattr(campaign, "_pack", lambda part: 0)
    monkeypatch.setattr(campaign.os, "nice", lambda by: 0)
    (tmp_path / "shenzhen").mkdir()
    monkeypatch.setattr("sys.argv", ["campaign.py", "--data", str(tmp_path)])
    assert campaign.main() == 0
    assert {part.data for part in trained} == {"shenzhen"} and len(trained) > 5
    assert "without tloss_isic2017_small, tloss_why, tloss_area\n" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-5", "nan", "inf", "x"])
def test_minutes_are_a_positive_number(tmp_path, monkeypatch, capsys, minutes):
    monkeypatch.setattr(
        "sys.argv", ["campaign.py", "--data", str(tmp_path), f"--minutes={minutes}"]
    )
    with pytest.raises(SystemExit, match="2"):
        campaign.main()
    assert f"--minutes: {minutes} is not a number above 0" in capsys.readouterr().err


@pytest.fixture
def two_parts(tmp_path, monkeypatch):
    """A campaign of two parts on data in an odd folder, without a copy, training or packing."""
    data = tmp_path / "it's, all of it"
    (data / "isic2017").mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["campaign.py", "--data", str(data)])
    parts = [campaign.Part(f"part{k}", "some", "isic2017", ()) for k in range(2)]
    monkeypatch.setattr(campaign, "plan", lambda: parts)
    monkeypatch.setattr(campaign, "_frozen", lambda: nullcontext(tmp_path))
    monkeypatch.setattr(campaign, "_pack", lambda part: 0)
    monkeypatch.setattr(campaign.os, "nice", lambda by: by)
    return data


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("raise SystemExit(2)", "ended with 2"),
    ],
)
def test_a_sweep_that_dies_is_a_failure(two_parts, tmp_path, capfd, text, how):
    (tmp_path / "train.py").write_text(text)
    assert campaign.main() == 1
    assert capfd.readouterr().err == f"part0 {how}\npart1 {how}\n"
    (tmp_path / "train.py").write_text("")
    assert campaign.main() == 0


def test_any_folder_is_passed_on(two_parts, tmp_path):
    (tmp_path / "train.py").write_text(
        "import sys; open('call', 'w').write('\\n'.join(sys.argv[1:]))"
    )
    campaign.main()
    call = (tmp_path / "call").read_text().splitlines()
    parsed = OverridesParser.create().parse_overrides(call[1:])
    values = {one.key_or_group: one.value() for one in parsed}
    assert values["dataset.root"] == str(two_parts / "isic2017")
    assert not any(one.is_sweep_override() for one in parsed)


STOPPED = """
import sys
from contextlib import contextmanager
from pathlib import Path
from tests.experiments.test_campaign import campaign

@contextmanager
def frozen():
    try:
        yield Path(sys.argv[-1])
    finally:
        print("copy deleted", flush=True)

campaign.plan = lambda: [campaign.Part("part", "some", "isic2017", ())]
campaign._frozen, campaign._pack = frozen, lambda part: print("packed", flush=True) or 0
sys.exit(campaign.command())
"""
SWEEP = """
import time
print("begun", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("kept", flush=True)
"""


def test_a_termination_stops_the_sweep_and_tidies_up(tmp_path):
    (tmp_path / "isic2017").mkdir()
    (tmp_path / "train.py").write_text(SWEEP)
    call = [sys.executable, "-c", STOPPED, "--data", str(tmp_path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        while process.stdout.readline() != "begun\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert [line for line in rest.splitlines() if line][:3] == ["kept", "packed", "copy deleted"]
    assert process.returncode == 130


def test_without_data_make_says_so_before_the_setup(tmp_path):
    # As from a shell: the make that runs the tests and its DATA are not this one's.
    ours = ("DATA", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    made = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), "campaign"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in ours},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 2
    assert made.stdout.startswith("DATA=… is missing") and "Setting up" not in made.stdout


@pytest.mark.parametrize("preset", PRESETS)
def test_on_a_gpu_batches_are_made_where_their_transforms_can_be(preset, monkeypatch):
    monkeypatch.setattr(campaign.hardware, "accelerator", lambda wanted: "gpu")
    part = next(part for part in campaign.plan() if part.preset == preset)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "train", [f"+experiment={preset}", f"dataset.device={campaign.device_of(part)}"]
        )
    names = [transform._target_.rpartition(".")[2] for transform in cfg.augmentation.transforms]
    if cfg.dataset.device == "cuda":
        check_drawable(names)
    else:
        with pytest.raises(ValueError, match="no Sequential"):
            check_drawable(names)


def test_runs_that_a_sweep_skipped_are_looked_for_in_all_records(tmp_path, monkeypatch, capsys):
    from robustseg import records
    from robustseg.records.packing import PackReport

    asked = {}

    def pack(experiment, runs, record, **options):
        asked.update(options, runs=runs, record=record)
        return PackReport(record, left_out={"some-run": "unfinished"})

    for name in ("one", "other"):
        (tmp_path / "experiments" / name / "record").mkdir(parents=True)
        (tmp_path / "experiments" / name / "record" / "record.json").touch()
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(campaign, "ROOT", tmp_path)
    monkeypatch.setattr(records, "pack", pack)
    assert campaign._pack(campaign.Part("one_half", "one", "isic2017", ())) == 0
    folders = [tmp_path / "experiments" / name / "record" for name in ("one", "other")]
    assert asked == {"elsewhere": folders, "runs": [tmp_path / "runs"], "record": folders[0]}
    assert "some-run: unfinished" in capsys.readouterr().err
