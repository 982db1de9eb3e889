"""Which runs are meant by an experiment, states, labels and settings."""

from collections.abc import Iterable, Sequence
from typing import Any

from robustseg.errors import ConfigError, NoRuns
from robustseg.runs.data_label import is_data
from robustseg.runs.filter_values import alternatives, spelled
from robustseg.runs.labels import LABELS
from robustseg.runs.survey import STATES, RunState
from robustseg.terminal.number_text import number_text
from robustseg.terminal.suggestion import suggestion


def select(
    runs: Sequence[RunState],
    experiment: str | None = None,
    where: Iterable[str] = (),
    states: Iterable[str] = (),
) -> list[RunState]:
    """The runs that are asked for; of no runs none.

    Args:
        runs: with their settings.
        experiment: to which they belong; None: any.
        where: filters, KEY=VALUE[,VALUE], of labels, settings or ``data``.
        states: some of `STATES`; none: any.

    Raises:
        ConfigError: a filter is not KEY=VALUE, or names neither a label nor a setting of a run.
        NoRuns: no run belongs to the experiment, or has a value.
    """
    chosen = list(runs)
    if experiment:
        known = {name for run in runs for name in run.experiments}
        if runs and experiment not in known:
            none = ": these runs belong to no experiment"
            hint = f"; {suggestion(experiment, known)}" if known else none
            raise NoRuns(f"no run belongs to the experiment {experiment!r}{hint}")
        chosen = [run for run in chosen if experiment in run.experiments]
    for text in where:
        name, equals, values = text.partition("=")
        if not equals:
            raise ConfigError(f"--where takes KEY=VALUE, got {text!r}")
        if runs:
            _check(runs, name, values)
        chosen = [run for run in chosen if _has(run, name, alternatives(values))]
    wanted = set(states) or set(STATES)
    return [run for run in chosen if run.state in wanted]


def may_have(run: RunState, name: str, values: Iterable[Any]) -> bool:
    """Whether a run has one of the values, or does not tell what it has.

    Args:
        run: with its settings.
        name: of a label or a setting; ``experiment``; or ``data``.
        values: as `robustseg.results.load.load_runs` takes them.
    """
    if name == "data":
        known = bool(run.fingerprint or run.data_folder)
    elif name == "experiment" or name in LABELS:
        known = bool(run.labels)
    else:
        known = bool(run.settings)
    words = ["" if value is None else str(spelled(value)) for value in values]
    return not known or _has(run, name, words)


def _check(runs: Sequence[RunState], name: str, values: str) -> None:
    """Refuse what would select nothing whatever else is asked for, as tables do."""
    words = alternatives(values)
    if any(_has(run, name, words) for run in runs):
        return
    if name == "data":
        known = {place for run in runs for place in (run.data_folder, run.data) if place}
    elif name == "experiment":
        known = {one for run in runs for one in run.experiments}
    else:
        names = {key for run in runs for key in (*run.labels, *run.settings)} - {"run_id"}
        if name not in names:
            usual = [*LABELS, "experiment", "data"]
            hint = suggestion(name, {*names, *usual}, usual)
            raise ConfigError(f"no run has a setting {name!r}; {hint}")
        known = {_word(_value(run, name)) for run in runs if _value(run, name) is not None}
    hint = f"; {suggestion(values, known)}" if known else ""
    raise NoRuns(f"none of the {len(runs)} runs has {name}={' or '.join(words)}{hint}")


def _value(run: RunState, name: str) -> Any:
    return spelled(run.labels[name] if name in run.labels else run.settings.get(name))


def _word(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _has(run: RunState, name: str, values: Sequence[str]) -> bool:
    if name == "data":
        return any(is_data(value, run.data_folder, run.fingerprint) for value in values)
    if name == "experiment":
        return any(value in run.experiments for value in values)
    value = _value(run, name)
    if value is None:
        return any(word in ("", "null") for word in values)
    return _spelling(value) in (_spelling(spelled(word)) for word in values)


def _spelling(value: object) -> str:
    """Numbers in one spelling: 1, 1.0 and 1e0 are one value."""
    try:
        return repr(float(str(value)))
    except ValueError:
        return str(value)
