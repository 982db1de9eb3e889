"""The runs of a page, each with its configuration, its state and its curve."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from robustseg.metrics.catalogue import CATALOGUE
from robustseg.results.report.curve import Curve, read_curve
from robustseg.results.report.privacy import without_places
from robustseg.results.sources import Sources
from robustseg.runs.labels import LABELS
from robustseg.runs.survey import RunState
from robustseg.terminal.number_text import number_text

_POOLED = CATALOGUE["dice_pooled"]


@dataclass(frozen=True)
class Entry:
    """One run on the page.

    Attributes:
        anchor: its place on the page.
        run_id: its name.
        loss: its loss; "" where the run does not tell.
        words: by which the page's filter finds it, beside its settings.
        state: done, collapsed, running, interrupted, failed, damaged, outdated or unreadable.
        reason: why it is not usable, in one line.
        dice: mean Dice over test images, if it is finished.
        facts: names and values of what happened to it.
        own: settings in which it differs from other runs of the page; shared: the rest.
        curve: over epochs.
    """

    anchor: str
    run_id: str
    loss: str
    words: str
    state: str
    reason: str
    dice: float | None
    facts: dict[str, str]
    own: dict[str, str]
    shared: dict[str, str]
    curve: Curve | None


MANY = 1000  # runs, of more of which a page has one line each


def entries(
    states: Sequence[RunState],
    statuses: Sequence[Mapping[str, Any]],
    runs: pd.DataFrame,
    sources: Sources,
) -> list[Entry]:
    """What the page says of each run; of more than `MANY` without settings and curves.

    Args:
        states: the runs, finished or not.
        statuses: of each, as `read_status` gives it.
        runs: the finished ones, as `load_runs` gives them.
        sources: of the runs.
    """
    whole = len(states) <= MANY
    rows: dict[str, dict[str, Any]] = {
        row["run_id"]: {str(name): value for name, value in row.items()}
        for row in runs.to_dict("records")
    }
    settings = {state.run_id: _settings(state) if whole else {} for state in states}
    values: dict[str, set[str]] = {}
    for own in settings.values():
        for name, value in own.items():
            values.setdefault(name, set()).add(value)
    differing = {name for name, found in values.items() if len(found) > 1}
    return [
        _entry(
            f"run-{at}",
            state,
            status,
            rows.get(state.run_id),
            settings[state.run_id],
            differing,
            read_curve(sources.find(state.run_id)) if whole else None,
        )
        for at, (state, status) in enumerate(zip(states, statuses, strict=True), start=1)
    ]


def read_status(state: RunState, sources: Sources) -> Mapping[str, Any]:
    """The status of a run; empty if it cannot be read."""
    return {} if state.state == "unreadable" else sources.find(state.run_id).status


def hosts(status: Mapping[str, Any]) -> list[str]:
    """The machines on which a run was tried."""
    return sorted({str(attempt.get("host", "")) for attempt in status.get("attempts") or []})


def _entry(
    anchor: str,
    state: RunState,
    status: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    settings: dict[str, str],
    differing: set[str],
    curve: Curve | None,
) -> Entry:
    labels = state.labels or row or {}
    return Entry(
        anchor=anchor,
        run_id=state.run_id,
        loss=str(labels.get("loss", "")),
        words=_words(state.run_id, labels, state.data),
        state="collapsed" if state.state == "done" and state.collapsed else state.state,
        reason=without_places(state.reason, hosts(status)),
        dice=_dice(row or {}),
        facts=_facts(state, status, row),
        own={name: value for name, value in settings.items() if name in differing},
        shared={name: value for name, value in settings.items() if name not in differing},
        curve=curve,
    )


def _dice(row: Mapping[str, Any]) -> float | None:
    value = float(row.get("dice_image", math.nan))
    return value if math.isfinite(value) else None


def _words(run_id: str, labels: Mapping[str, Any], data: str) -> str:
    """The run's id and its parts, and its labels, each as VALUE and as KEY=VALUE."""
    words = [run_id, *run_id.split("-"), *data.split()]
    for name in LABELS:
        value = labels.get(name)
        if pd.notna(value):
            words += [_text(value), f"{name}={_text(value)}"]
    if labels.get("alpha") == 0:
        words.append("clean")
    return " ".join(dict.fromkeys(words))


def _facts(
    state: RunState, status: Mapping[str, Any], row: Mapping[str, Any] | None
) -> dict[str, str]:
    attempts = status.get("attempts") or []
    started = [str(attempt.get("started", "?")) for attempt in attempts]
    epochs = status.get("epochs")
    if state.epoch is not None:
        epochs = f"{state.epoch} of {state.epochs}"
    known = {
        "state": f"{state.state}, predicts only {state.collapsed}"
        if state.collapsed
        else state.state,
        "reason": without_places(state.reason, hosts(status)),
        "epochs": epochs,
        "attempts": f"{len(attempts)} (started {', '.join(started)})" if attempts else None,
        "finished": status.get("finished"),
        "experiments": ", ".join(state.experiments),
        "data": state.data,
        "processor": status.get("processor", status.get("accelerator")),
        "precision": status.get("precision"),
        "threads": status.get("threads"),
        "code": status.get("commit"),
        _POOLED.title: _POOLED.text(row[_POOLED.name]) if row and _POOLED.name in row else None,
    }
    return {name: str(value) for name, value in known.items() if value not in (None, "")}


def _settings(state: RunState) -> dict[str, str]:
    """Every setting that can change the result, by its dotted name, without places."""
    return {name: _text(without_places(value)) for name, value in sorted(state.settings.items())}


def _text(value: Any) -> str:
    """A value as it is written in an override of train.py."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_text(item)}' for key, item in value.items())}}}"
    return number_text(value) if isinstance(value, float) else str(value)
