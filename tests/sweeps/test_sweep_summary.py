"""The summary at the end of a sweep."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from robustseg.errors import ConfigError
from robustseg.sweeps import sweep, sweep_summary
from robustseg.sweeps.outcomes import Outcome, write_outcome
from robustseg.sweeps.sweep import Sweep, open_sweep
from robustseg.sweeps.sweep_summary import summarise
from tests.conftest import CONF


@pytest.fixture
def swept(tmp_path, monkeypatch):
    """A function that makes this process's sweep of so many jobs; some have an outcome."""

    def make(jobs, *outcomes):
        names = {job: f"loss={job}" for job in range(jobs)}
        current = Sweep(outcomes=tmp_path / "outcomes", runs=Path("runs"), jobs=names)
        for module in (sweep, sweep_summary):
            monkeypatch.setattr(module, "current", current)
        for job, outcome in enumerate(outcomes):
            write_outcome(tmp_path, job, outcome)
        return current

    return make


def test_what_was_not_begun_is_counted(swept, capsys):
    swept(5, Outcome("a", "done", 0.5), Outcome("b", "skipped"), Outcome("c", "running"))
    assert summarise(interrupted=True) == 0
    assert "5 runs: 1 done, 1 skipped, 1 interrupted, 2 not started." in capsys.readouterr().out


def test_a_failure_before_the_time_limit_is_still_one(swept, capsys):
    swept(3, Outcome("a", "failed", message="why"), Outcome("b", "running"))
    assert summarise(interrupted=True) == 1
    assert "3 runs: 1 failed, 1 interrupted, 1 not started." in capsys.readouterr().out


def test_a_sweep_that_was_interrupted_before_its_first_run(swept, capsys):
    swept(3)
    assert summarise(interrupted=True) == 0
    assert "\n3 runs: 3 not started. Table:" in capsys.readouterr().out


def test_runs_that_were_not_begun_are_named(swept, capsys):
    swept(30, Outcome("a", "running"))
    summarise(interrupted=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "not started" in line]
    names = [f"loss={job}" for job in range(1, 21)]
    assert [row[0] for row in rows[:20]] == names
    assert rows[20][:3] == ["and", "9", "more"]


def test_a_sweep_that_was_refused_has_no_summary(swept, capsys):
    swept(3)
    assert summarise() == 0
    assert capsys.readouterr().out == ""


def test_cells_that_are_one_run_are_begun_with_it(swept, capsys):
    swept(3, Outcome("a", "done", 0.5), Outcome("a", "skipped", 0.5))
    summarise(interrupted=True)
    assert "2 runs: 1 done, 1 not started." in capsys.readouterr().out


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("busy", 0), ("failed", 1)])
def test_only_a_failure_is_one(swept, capsys, state, code):
    swept(2, Outcome("a", "skipped", 0.5), Outcome("b", state, message="why"))
    assert summarise() == code
    out = capsys.readouterr().out
    assert f"2 runs: 1 skipped, 1 {state}." in out
    assert "b: why" in out


def test_warnings_of_the_data_are_said_once_with_the_number_of_runs(swept, capsys):
    shared = {"warnings": ["in two splits"]}
    swept(9, *(Outcome(f"r{n}", "done", 0.5, **shared) for n in range(2)))
    summarise()
    assert capsys.readouterr().out.splitlines()[-2] == "2 runs: in two splits"
    swept(9, *(Outcome(f"r{n}", "done", 0.5, warnings=[f"w{n}"]) for n in range(7)))
    summarise()
    lines = capsys.readouterr().out.splitlines()[-7:-1]
    assert lines == [*(f"r{n}: w{n}" for n in range(5)), "and 2 more warnings, in the runs' logs"]


def test_other_conditions_of_all_runs_are_one_line(swept, capsys):
    torch, commits = "torch 1.0, now 2.0", [f"commit {n}, now x" for n in range(7)]
    swept(
        8,
        Outcome("untouched", "skipped", 0.5),
        *(Outcome(f"r{n}", "skipped", 0.5, differs=[torch, commits[n]]) for n in range(7)),
    )
    summarise()
    (line,) = (one for one in capsys.readouterr().out.splitlines() if "conditions" in one)
    assert line == (
        "7 runs finished or resumed under other conditions: torch 1.0, now 2.0 (7 runs); "
        "commit 0, now x (1 run); commit 1, now x (1 run); commit 2, now x (1 run); "
        "commit 3, now x (1 run); and 3 more differences"
    )


@pytest.mark.parametrize(
    "given", ["minutes=5,10", "records=[a],[b]", "paths.runs=a,b", "++minutes=5,10"]
)
def test_settings_of_the_call_cannot_be_swept(monkeypatch, given):
    monkeypatch.setattr(sweep, "current", Sweep())
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [], return_hydra_config=True)
    config.hydra.overrides.task = [given, "loss=tloss,gce"]
    sweep.SweepCallback().on_multirun_start(config)
    name = given.split("=")[0].lstrip("+")
    with pytest.raises(ConfigError, match=f"^{name} applies to the whole command"):
        open_sweep(config, {0: [], 1: []})


@pytest.mark.parametrize(
    ("given", "overrides", "named"),
    [
        ("mine", [], "mine "),
        ("mine", ["experiment_name=a,b"], ""),
        ("${loss.name}", [], ""),
        ("${hydra:runtime.choices.loss}", [], ""),
        ("null", [], ""),
    ],
)
def test_the_table_of_a_sweep_is_of_its_experiment(swept, capsys, given, overrides, named):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"experiment_name={given}"], return_hydra_config=True)
    config.hydra.overrides.task = overrides
    current = swept(1, Outcome("a", "done", 0.5))
    outcomes = current.outcomes
    sweep.SweepCallback().on_multirun_start(config)
    current.outcomes = outcomes
    summarise()
    assert f"Table: robustseg table {named}--runs {config.paths.runs}\n" in capsys.readouterr().out


@pytest.mark.parametrize("trained", [True, False])
def test_the_table_of_a_sweep_has_the_records_that_served_it(
    swept, capsys, tmp_path, monkeypatch, trained
):
    served = {"a": "rec ä", "b": "rec ä", "c": "other"}
    monkeypatch.setattr(sweep_summary, "record_of", lambda run_id, paths: served.get(run_id))
    dice = {"rec ä": 0.25}
    monkeypatch.setattr(
        sweep_summary, "recorded_dice", lambda ids, path: {one: dice.get(path) for one in ids}
    )
    runs = tmp_path / "own runs"
    outcomes = [*(Outcome(name, "skipped") for name in "abc"), Outcome("d", "skipped", 0.5)]
    swept(4, *outcomes).runs = runs
    if trained:
        runs.mkdir()
    summarise()
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if " skipped " in line and ":" not in line]
    assert [row[2:] for row in rows] == [["0.250"], ["0.250"], [], ["0.500"]]
    own = f"'{runs}' " if trained else ""
    assert f"Table: robustseg table --runs {own}'rec ä' other\n" in out


@pytest.mark.parametrize(("experiment", "said"), [("mine", True), (None, False)])
def test_busy_runs_do_not_join_the_experiment_by_themselves(swept, capsys, experiment, said):
    swept(1, Outcome("a", "busy", message="why")).experiment = experiment
    summarise()
    told = "Busy runs are not yet part of mine: repeat the command once they are done"
    assert (told in capsys.readouterr().out) == said
