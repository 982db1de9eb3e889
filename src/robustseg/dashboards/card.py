"""What a dashboard shows of a run, whether it is logged while it trains or afterwards."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_TAG_LIMIT = 64  # characters, wandb's


@dataclass(frozen=True)
class RunCard:
    """What a dashboard shows of a run.

    Attributes:
        run_id: stable, so that a resumed run continues in the same place; another one once the run
            has restarted (see `RunFolder.dashboard_id`).
        name: readable, without the hash.
        group: the experiment, or the data set.
        tags: data set, loss, noise, α, β, regulariser.
        settings: what determines the result; no path, no host.
    """

    run_id: str
    name: str
    group: str
    tags: list[str]
    settings: dict[str, Any] = field(default_factory=dict)


def make_card(
    run_id: str, labels: Mapping[str, Any], settings: Mapping[str, Any], experiment: str | None
) -> RunCard:
    """The card of a run.

    Args:
        run_id: the run's id in dashboards.
        labels: as `robustseg.runs.labels.labels` gives them.
        settings: every setting that can change the result.
        experiment: to which it belongs; None for none.
    """
    tags = [labels["dataset"], labels["loss"]]
    if labels["noise"]:
        tags += [labels["noise"], f"alpha={labels['alpha']:g}", f"beta={labels['beta']:g}"]
    else:
        tags.append("clean")
    if labels["regularizer"] != "none":
        tags.append(labels["regularizer"])
    return RunCard(
        run_id=run_id,
        name=labels["run_id"].rpartition("-")[0],
        group=experiment or labels["dataset"],
        tags=[_tag(tag) for tag in tags],
        settings={key: _without_places(value) for key, value in settings.items()},
    )


def _tag(text: str) -> str:
    """A tag as wandb takes it; one that is cut ends in digits of its hash, so that it is its own.

    Example:
        >>> _tag("alpha=0.3"), len(_tag("x" * 80))
        ('alpha=0.3', 64)
    """
    if len(text) <= _TAG_LIMIT:
        return text
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _TAG_LIMIT - len(digits) - 1]}…{digits}"


def may_show(images: bool | str, public: bool) -> bool:
    """Whether pictures may be logged.

    Args:
        images: logger.images: true, false, or "auto" for what the data set says.
        public: dataset.public.
    """
    return public if images == "auto" else bool(images)


def _without_places(value: Any) -> Any:
    """The value with absolute paths, such as a model's weights file, cut to their last part."""
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute():
                return kind(value).name
    return value
