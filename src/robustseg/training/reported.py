"""Which evaluations the reported numbers are the mean of."""

from robustseg.settings import EvaluationSettings, Settings


def evaluated_epochs(epochs: int, evaluation: EvaluationSettings) -> list[int]:
    """The epochs after which a run is evaluated; the last one always."""
    every = evaluation.every
    return [epoch for epoch in range(1, epochs + 1) if epoch % every == 0 or epoch == epochs]


def said(evaluations: int) -> str:
    """What the reported numbers are.

    Example:
        >>> said(6)
        'mean over the last 6 evaluations'
    """
    return (
        "last evaluation" if evaluations == 1 else f"mean over the last {evaluations} evaluations"
    )


def warning(settings: Settings) -> str:
    """That the mean goes back to the beginning of training; "" unless it covers more than half."""
    epochs, evaluation = settings.trainer.max_epochs, settings.evaluation
    reported = evaluated_epochs(epochs, evaluation)[-evaluation.last :]
    if len(reported) == 1 or 2 * (epochs - reported[0] + 1) <= epochs:
        return ""
    return (
        f"the reported numbers average the evaluations from epoch {reported[0]} of {epochs} on, "
        "more than half of the training: set a smaller evaluation.last, or train longer"
    )
