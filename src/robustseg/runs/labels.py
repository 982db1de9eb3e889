"""What tables select and group runs by."""

from typing import Annotated, Any, Self

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from robustseg.runs.identity import is_regularised
from robustseg.runs.plain_name import Name
from robustseg.settings import Number, Settings


class Labels(BaseModel):
    """The labels of a run, in the order of tables, as status.json and metrics.json have them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    dataset: Name
    loss: Name
    domain: Name | None = None
    regularizer: Name | None = None
    epsilon: Number | None = None
    model: Name | None = None
    image_size: Number | None = None
    batch_size: Number | None = None
    subset: Name | None = None
    noise: Name | None = None
    alpha: Annotated[Number, Ge(0), Le(1)]
    beta: Annotated[Number | None, Gt(0)] = None
    noise_seed: Number | None = None
    seed: Number

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len({self.alpha > 0, self.noise is not None, self.beta is not None}) > 1:
            raise ValueError("run.alpha, run.noise and run.beta contradict each other")
        return self


LABELS = tuple(Labels.model_fields)


def labels(settings: Settings, run_id: str) -> dict[str, Any]:
    """The labels of the run that settings describe."""
    dataset, noise = settings.dataset, settings.noise
    noisy, regularised = noise.alpha > 0, is_regularised(settings.regularizer.plain())
    return {
        "run_id": run_id,
        "dataset": dataset.name,
        "subset": dataset.subset,
        "batch_size": dataset.batch_size,
        "image_size": dataset.image_size,
        "model": settings.model.name,
        "loss": settings.loss.name,
        "domain": settings.loss.get("domain"),
        "regularizer": settings.regularizer.name if regularised else "none",
        "epsilon": settings.regularizer.get("epsilon") if regularised else 0,
        "noise": noise.name if noisy else None,
        "alpha": noise.alpha,
        "beta": noise.beta if noisy else None,
        "noise_seed": noise.seed if noisy else None,
        "seed": settings.seed,
    }


def check_labels(run: Any) -> None:
    """Refuse what `labels` cannot have given.

    Raises:
        ValueError: naming the label.
    """
    if not isinstance(run, dict):
        raise ValueError("the labels of the run are missing")
    try:
        Labels.model_validate(run)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            raise ValueError(str(first["ctx"]["error"])) from None
        name = first["loc"][0]
        raise ValueError(f"run.{name} is {run.get(name)!r}") from None
