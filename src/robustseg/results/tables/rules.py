"""Rules that say when to stop training: their names, and what tables say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from robustseg.errors import ConfigError
from robustseg.results.tables.order import tested_on
from robustseg.results.tables.table_model import EMPTY, Column, Row, Table
from robustseg.terminal.count import count

RULES = ("last", "noisy-val", "label-wave")
_SENTENCES = {
    "last": "last: mean of the reported evaluations, the only rule that averages; the others pick "
    "one evaluation, whose Dice varies more",
    "noisy-val": "noisy-val: the evaluation with the best Dice on noisy held-out masks",
    "label-wave": "label-wave: the evaluation at the first local minimum of the share of training "
    "pixels whose prediction changes, smoothed over three evaluations (none: the last)",
}
_REGRET = (
    "regret: the distance to the best single evaluation on the clean test masks, which no rule "
    "can see and which is not a result"
)
_UNTESTED = "Not tested: per-image scores exist only for the evaluations of last"


def metric_of(rule: str) -> str:
    """The name of the Dice that a rule ends with.

    Example:
        >>> metric_of("noisy-val")
        'dice_image_noisy_val'
    """
    return f"dice_image_{rule.replace('-', '_')}"


def regret_of(rule: str) -> str:
    """The name of what the rule lacks to the best evaluation."""
    return f"regret_{rule.replace('-', '_')}"


def check_rules(words: Iterable[str]) -> list[str]:
    """The rules that words name, each once.

    Raises:
        ConfigError: one is not a rule.
    """
    rules = list(dict.fromkeys(words))
    for rule in rules:
        if rule not in RULES:
            raise ConfigError(
                f"no rule {rule!r} to select by; there are: {', '.join(RULES)} "
                "(an experiment is named before --select)"
            )
    return rules


def rule_notes(table: Table) -> list[str]:
    """What a reader of a table of `metric_of` and `regret_of` has to know; else nothing."""
    metrics = {column.metric for column in table.columns}
    rules = [rule for rule in RULES if metric_of(rule) in metrics]
    if not rules:
        return []
    said = [_SENTENCES[rule] for rule in rules]
    said += [_REGRET] if any(regret_of(rule) in metrics for rule in rules) else []
    said += _worth(table, rules[1:]) if rules[0] == "last" else []
    return [f"{sentence}." for sentence in [*said, _UNTESTED]]


def _worth(table: Table, rules: Sequence[str]) -> list[str]:
    """What each rule gains over `last`, beside what changing to the best loss there would."""
    said = []
    for rule in rules:
        gains, changes = [], []
        for column in (one for one in table.columns if one.metric == metric_of("last")):
            for row in table.rows:
                last, picked = _mean(table, row, column), _mean(table, row, column, rule)
                if last is not None and picked is not None:
                    gains.append(picked - last)
                    changes.append(_best(table, row, column) - last)
        if gains:
            more = sum(gain > change for gain, change in zip(gains, changes, strict=True))
            said.append(
                f"{rule} gains {_signed(fmean(gains))} over last on average, changing to the best "
                f"loss at last {_signed(fmean(changes))}; the rule gains more in {more} of "
                f"{count(len(gains), 'cell')}"
            )
    return said


def _mean(table: Table, row: Row, column: Column, rule: str | None = None) -> float | None:
    """A cell's mean, of another rule if one is named."""
    at = column if rule is None else replace(column, metric=metric_of(rule))
    cell = table.cells.get((row, at), EMPTY)
    return cell.mean if cell.n else None


def _best(table: Table, row: Row, column: Column) -> float:
    """The best mean of a column on the data of a row."""
    keys = [(one, column) for one in table.rows if _mean(table, one, column) is not None]
    own = tested_on(table, (row, column))
    return max(table.cells[key].mean for key in keys if tested_on(table, key) == own)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
