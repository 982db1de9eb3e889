"""All figures there are, with what is said below them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from robustseg.errors import NoImages, UnlikeImages, Unreadable
from robustseg.results.figures.dice_against_alpha import dice_against_alpha
from robustseg.results.figures.distributions import image_dice
from robustseg.results.figures.domain import domain_against_batch_size
from robustseg.results.figures.memorisation import memorisation, memorisation_by_type
from robustseg.results.figures.nu import nu
from robustseg.results.figures.panels import disagreement, examples
from robustseg.results.figures.run_files import Source
from robustseg.results.figures.shown import IMAGES
from robustseg.results.figures.stopping_points import selection
from robustseg.results.figures.thresholds import thresholds
from robustseg.results.sources import Sources

_TOLD = 10  # files that cannot be read


@dataclass(frozen=True)
class FigureSpec:
    """A figure and its words.

    Attributes:
        name: of its files.
        title: what it shows.
        caption: how to read it.
        draw: from runs, as `line_names` gives them, and their sources; None if they do not
            have it. Raises Unreadable where a file cannot be read.
        images: of the data set that it shows, one of `IMAGES`.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[pd.DataFrame, Sources], Figure | None]
    images: str = "none"


FIGURES = (
    FigureSpec(
        "dice_against_alpha",
        "Test Dice against the share of noisy masks",
        "Mean Dice over test images; the line is the mean over seeds, the band their range. Folds "
        "of a seed count together, as in tables.",
        dice_against_alpha,
    ),
    FigureSpec(
        "memorisation",
        "Memorisation of noisy masks",
        "Dice of training images against the clean masks (full) and against those they were "
        "given (dashed), mean over runs; with many losses, only at the setting with the most "
        "and worst wrong masks. Where the dashed curve is above the full one, the noise has been "
        "learnt; the dotted line is where the full one ends if every given mask is reproduced.",
        memorisation,
    ),
    FigureSpec(
        "memorisation_by_type",
        "Memorisation by type of noise",
        "Dice of training images against clean (full) and given masks (dashed), by the way in "
        "which their masks were wrong. Dash-dotted: the Dice expected of full memorisation, "
        "2/(2+β) for dilated, 2(1−β)/(2−β) for eroded and 1−β/2 for moved masks; dotted: what the "
        "given masks really have, which differs where β was not reached.",
        memorisation_by_type,
    ),
    FigureSpec(
        "thresholds",
        "Dice against the threshold",
        "Mean Dice of test images against clean masks (full) and of held-out images against noisy "
        "ones (dashed) by the probability above which a pixel is foreground, over runs and "
        "reported evaluations. The star is the threshold that is best on the noisy held-out masks "
        "(the mean of those of the evaluations) and the test Dice with it; dotted: ½.",
        thresholds,
    ),
    FigureSpec(
        "selection",
        "Test Dice where a rule stops training",
        "Mean over seeds of the test Dice at the evaluation that a rule picks: last averages the "
        "reported evaluations, noisy-val takes the best on noisy held-out masks, label-wave the "
        "first minimum of the share of pixels whose prediction changes. The bar ends at the best "
        "evaluation on clean test masks, which no rule can see; the distance to it is the regret.",
        selection,
    ),
    FigureSpec(
        "nu",
        "ν of the T-Loss",
        "ν over epochs on a logarithmic axis, from its start at epoch 0; mean over runs.",
        nu,
    ),
    FigureSpec(
        "domain_against_batch_size",
        "Loss over an image or over the batch",
        "Mean Dice over test images against the batch size; bars are the range over seeds.",
        domain_against_batch_size,
    ),
    FigureSpec(
        "image_dice",
        "Dice of single test images",
        "The outline is a density, each dot an image (mean over the reported evaluations; at "
        "most 400 are shown), the bar the median; images of all seeds together.",
        image_dice,
    ),
    FigureSpec(
        "examples",
        "Test images and training images",
        "Runs of the hardest noise setting, one row per loss, first seed; the same images in "
        "each. Above training images: Dice of the prediction against the given and against the "
        "clean mask.",
        examples,
        images="all",
    ),
    FigureSpec(
        "disagreement",
        "Training images on which the network agrees least with its mask",
        "Of the training images that a run keeps, those with the lowest Dice of the prediction "
        "against the noisy mask that was given.",
        disagreement,
        images="train",
    ),
)


def allowed(images: str) -> list[FigureSpec]:
    """The figures that show no more of the data set's images than that, one of `IMAGES`."""
    return [spec for spec in FIGURES if IMAGES.index(spec.images) <= IMAGES.index(images)]


def drawn(
    runs: pd.DataFrame, source: Source, images: str = "all", also: Sequence[FigureSpec] = ()
) -> tuple[list[tuple[FigureSpec, Figure]], list[str]]:
    """Draw what the runs have.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.
        images: of the data set that may be shown, one of `IMAGES`.
        also: further figures, which are drawn whatever they show.

    Returns:
        The figures; and which files could not be read, so that figures are without their runs.
    """
    sources = Sources.of(source)
    figures, without = [], defaultdict[str, list[str]](list)
    for spec in [*allowed(images), *also]:
        figure, reasons = _drawn(spec, runs, sources)
        if figure is not None:
            figures.append((spec, figure))
        for reason in dict.fromkeys(reasons):
            without[reason].append(spec.name)
    remarks = [f"{reason}; left out of {', '.join(names)}." for reason, names in without.items()]
    if len(remarks) > _TOLD:
        remarks[_TOLD:] = [f"And {len(remarks) - _TOLD} more such runs."]
    return figures, [*remarks, *_without_pictures(runs, sources, images)]


def _without_pictures(runs: pd.DataFrame, sources: Sources, images: str) -> list[str]:
    """Which runs come from a record, where figures of images are wanted, which those lack."""
    wanted = [spec.name for spec in allowed(images) if spec.images != "none"]
    ids = [run_id for run_id in runs["run_id"] if sources.find(run_id).folder is None]
    if not wanted or not ids:
        return []
    more = f" and {len(ids) - _TOLD} more" if len(ids) > _TOLD else ""
    return [
        f"No images, since they come from a record: {', '.join(ids[:_TOLD])}{more}; left out of "
        f"{', '.join(wanted)}."
    ]


def _drawn(
    spec: FigureSpec, runs: pd.DataFrame, sources: Sources
) -> tuple[Figure | None, list[str]]:
    """A figure of those runs whose files can be read, and why others are left out."""
    left_out: dict[str, str] = {}
    while True:
        try:
            readable = runs[~runs["run_id"].isin(left_out)]
            return spec.draw(readable, sources), list(left_out.values())
        except Unreadable as error:
            left_out |= error.reasons
        except (NoImages, UnlikeImages) as error:  # of folds, which have to be read together
            return None, [*left_out.values(), str(error)]
