"""A claim in words that can be checked."""

from collections.abc import Sequence

from robustseg.results.claims.claim import Claim, Claims, Methods
from robustseg.results.claims.intervals import MARGIN, MIN_SEEDS, MOST_SEEDS
from robustseg.results.tables.image_scores import no_means
from robustseg.results.tables.table_model import LEVEL
from robustseg.terminal.count import count


def number(value: float, decimals: int = 3) -> str:
    """A number; one below 0 keeps its sign where it rounds to 0, so that intervals show theirs."""
    return f"{value + 0.0:.{decimals}f}".replace("-", "−")


def interval(ends: Sequence[float], decimals: int = 3) -> str:
    """An interval, such as ``[−0.010, 0.052]``."""
    return f"[{number(ends[0], decimals)}, {number(ends[1], decimals)}]"


def small(value: float) -> str:
    """A probability with three decimals; ``<0.001`` below."""
    return "<0.001" if value < 0.001 else number(value)


def needed(methods: Methods) -> str:
    """How many seeds separate a difference of .01, and the range; nothing of pixels."""
    if methods.needed is None:
        return ""
    seeds, fewest, most = methods.needed
    if seeds == 0:
        return "none: the images are the limit"
    low, high = _seeds(fewest), _seeds(most)
    return f"{_seeds(seeds)} ({low} to {high})" if low != high else _seeds(seeds)


def sentence(claim: Claim, decimals: int = 3) -> str:
    """What a claim says.

    Example:
        ``dice_image, α=0.7 β=0.7: on these 529 images the networks of T-Loss are better than
        those of GCE by 0.021 [0.004, 0.039] (chance of the opposite 0.009, corrected p 0.031); as
        methods, over three seeds with this draw of wrong masks, [−0.010, 0.052]: not separated.``
    """
    over = f"on these {claim.images} images"
    if claim.cases is not None:
        over += f" of {count(claim.cases, 'case')}"
    first, second = claim.names
    if claim.difference == 0:
        found = f"{over} the networks of {first} and of {second} are equally good"
    elif not claim.separated or number(claim.difference, decimals) == number(0, decimals):
        found = (
            f"{over} the networks of {first} and of {second} differ by "
            f"{number(claim.difference, decimals)}"
        )
    else:
        found = (
            f"{over} the networks of {first} are better than those of {second} by "
            f"{number(claim.difference, decimals)}"
        )
    chances = f"chance of the opposite {small(claim.chance)}"
    chances += f", corrected p {small(claim.p_corrected)}"
    found += f" {interval(claim.interval, decimals)} ({chances})"
    found += "" if claim.separated else ": not separated"
    return f"{claim.words}: {found}; as methods{_as_methods(claim, decimals)}."


def footnotes(claims: Claims) -> list[str]:
    """What the numbers mean."""
    holm = f"with Holm's correction over all {claims.family} pairs shown"
    said = [
        "Difference of means, positive where the first is better.",
        f"These networks: {1 - LEVEL:.0%} interval over test images, and the chance that the "
        "opposite is true (the posterior of a paired t), for each pair separately.",
        f"p: Wilcoxon's signed-rank test over images, "
        f"{holm if claims.family > 1 else 'of the only pair'}; it asks whether the differences "
        "lie around 0, not whether their mean is 0, so it may disagree with the chance.",
    ]
    methods = [claim for claim in claims.claims if claim.methods]
    if methods:
        said.append(
            f"Methods: {1 - LEVEL:.0%} interval over seeds and images{_of_draw(methods)}, for "
            "each pair separately."
        )
    grouped = [claim.cases is not None for claim in claims.claims]
    if any(grouped):
        said.append(
            "Where images belong to cases (patients, slides), those of a case count together: "
            "intervals and chances are cluster-robust, p is that of the cases' means."
        )
    if not all(grouped):
        said.append(
            "Images count as independent where their cases are not known: if several belong to "
            "one patient, intervals are too narrow and p is too small."
        )
    if methods:
        said += [
            "Variance: shares of images, seeds and rest in the variance of the difference.",
            f"Seeds for ±{MARGIN}: with which the interval of methods is no wider, and their "
            f"{1 - LEVEL:.0%} range; not of metrics in pixels.",
        ]
    if claims.left_out:
        why = no_means(claims.left_out)
        said.append(f"Left out, because {why}: {', '.join(claims.left_out)}.")
    return [*said, *claims.confounders]


def _draws(claim: Claim) -> int:
    """How many draws of wrong masks its methods have; 0 of clean ones."""
    if claim.column.noise is None:
        return 0
    return len({noise_seed for _, noise_seed in claim.seeds})


def _are_crossed(claim: Claim) -> bool:
    """Whether each seed has several draws of wrong masks, the same for all."""
    return 1 < _draws(claim) < len(claim.seeds)


def _of_draw(claims: Sequence[Claim]) -> str:
    """That intervals of methods are for one draw of wrong masks, where it is so."""
    one = [_draws(claim) == 1 or _are_crossed(claim) for claim in claims]
    if not any(one):
        return ""
    these, where = "this draw", "where masks come from one draw, "
    if any(map(_are_crossed, claims)):
        these, where = "these draws", "where all seeds have the same draws, "
    return f", {'' if all(one) else where}for {these} of wrong masks (noise.seed)"


def _as_methods(claim: Claim, decimals: int) -> str:
    seeds = claim.different_seeds
    if claim.methods is None:
        if claim.repeated:
            return ": undecided, each seed is needed once"
        if seeds >= MIN_SEEDS:
            return ": undecided, noise.seed has to be alike for all seeds, or each seed's own"
        are = "is" if seeds == 1 else "are"
        return f": undecided, three common seeds are needed, there {are} {seeds}"
    common = " common" if {len(claim.seeds)} != set(claim.runs) else ""
    over = f"over {_words(seeds)}{common} seeds"
    if draws := _draws(claim):
        these = f" with these {_words(draws)} draws" if _are_crossed(claim) else " and draws"
        over += f"{these if draws > 1 else ' with this draw'} of wrong masks"
    methods = claim.methods
    centre = "" if not common else f"{number(methods.difference, decimals)} "
    verdict = "separated" if methods.separated else "not separated"
    verdict += ", in the opposite direction" if methods.opposite else ""
    return f", {over}, {centre}{interval(methods.interval, decimals)}: {verdict}"


def _seeds(count: int) -> str:
    if count == 0:
        return "none"
    return f">{MOST_SEEDS}" if count > MOST_SEEDS else str(count)


def _words(count: int) -> str:
    words = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count - 2] if count <= 10 else str(count)
