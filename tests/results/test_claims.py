"""What the claims of made-up runs say, against numbers computed from the same values."""

import csv
import io
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from robustseg.errors import NoRuns
from robustseg.results.claims.claims_text import records, render_claims
from robustseg.results.claims.intervals import over_seeds
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.claims.overview import overview
from robustseg.results.claims.sentences import footnotes, interval, sentence
from robustseg.results.load import load_runs
from robustseg.results.tables import image_scores
from robustseg.results.tables.comparison import compare
from robustseg.results.tables.image_scores import Images, NoImages, Scores, UnlikeImages
from robustseg.results.tables.make_table import make_table
from robustseg.runs.files import read_csv, read_json, write_csv, write_json

N = 40
RNG = np.random.default_rng(0)
BASE = RNG.uniform(0.4, 0.7, N)


def values_of(shift, spread=0.05):
    values = BASE + shift + RNG.uniform(-spread, spread, N)
    return {f"image{at:02d}": float(value) for at, value in enumerate(values)}


def claims_of(add_run, metrics=("dice_image",), against=None):
    table = make_table(load_runs(add_run.runs), metrics)
    return make_claims(table, Images(add_run.runs), against)


@pytest.fixture
def three_losses(add_run):
    """Three seeds of three losses; the values of each loss, (seeds, images)."""
    values = {}
    for loss, shift in {"gce": 0.0, "mae": 0.02, "tloss": 0.1}.items():
        runs = [values_of(shift + seed / 100) for seed in range(3)]
        for seed, images in enumerate(runs):
            add_run(loss, 0.3, images=images, seed=seed)
        values[loss] = np.array([[*images.values()] for images in runs])
    return values


def test_all_pairs_the_better_first(add_run, three_losses):
    claims = claims_of(add_run)
    pairs = [(claim.first, claim.second) for claim in claims.claims]
    assert sorted(pairs) == [("mae", "gce"), ("tloss", "gce"), ("tloss", "mae")]
    assert claims.family == 3
    for claim in claims.claims:
        ours, theirs = three_losses[claim.first], three_losses[claim.second]
        test = stats.ttest_rel(ours.mean(0), theirs.mean(0), alternative="greater")
        assert claim.difference == pytest.approx((ours - theirs).mean())
        assert claim.chance == pytest.approx(test.pvalue)
        methods = over_seeds(ours - theirs)
        assert claim.methods.interval == pytest.approx((methods.low, methods.high))
        assert claim.methods.difference == pytest.approx(claim.difference)
        assert sum(claim.methods.shares) == pytest.approx(1)
        least, fewest, most = claim.methods.needed
        assert fewest <= least <= most


def test_an_overview_counts_the_pairs_of_the_best(add_run, three_losses):
    claims = claims_of(add_run).claims
    best = [claim for claim in claims if claim.first == "tloss"]
    networks = sum(claim.separated for claim in best)
    methods = sum(claim.methods.separated for claim in best)
    assert overview(claims) == (
        f"T-Loss has the best mean. Separated: {networks} of its 2 pairs as networks, {methods} of "
        "2 with three or more common seeds as methods"
    )
    few = [replace(claim, methods=None) for claim in claims if claim.first != "tloss"]
    assert overview(few) == f"Separated: {few[0].separated:d} of 1 pair as networks"


def test_a_method_that_is_worse_over_the_common_seeds_is_not_counted_as_better(add_run):
    """With more seeds, which are good, its mean is the better; over the common ones it is worse."""
    for seed in range(3):
        add_run("gce", 0.3, images=values_of(0.05, 0.001), seed=seed)
    for seed in range(9):
        add_run("tloss", 0.3, images=values_of(0.0 if seed < 3 else 0.2, 0.001), seed=seed)
    (claim,) = claims_of(add_run).claims
    assert claim.first == "tloss" and claim.separated
    assert claim.methods.interval[1] < 0 and claim.methods.opposite
    assert sentence(claim).endswith("]: separated, in the opposite direction.")
    assert overview([claim]).endswith("as methods (1 in the opposite direction)")


def test_seeds_for_a_hundredth_are_not_counted_in_pixels(add_run):
    for loss, shift in (("gce", 0.0), ("tloss", 0.1)):
        for seed in range(3):
            folder = add_run(loss, 0.3, images=values_of(shift), seed=seed)
            rows = [row | {"hd95": row["tp"] / 1e10} for row in read_csv(folder.images)]
            write_csv(folder.images, rows)
            numbers = read_json(folder.metrics)
            hd95 = float(np.mean([row["hd95"] for row in rows]))
            write_json(folder.metrics, {**numbers, "hd95": hd95})
    claims = claims_of(add_run, ["hd95", "hd95_pixels"]).claims
    share, pixels = (claim.methods.needed for claim in claims)
    assert share is not None and pixels is None
    assert [row["seeds_needed"] for row in records(claims_of(add_run, ["hd95_pixels"]))] == [None]


def test_the_corrected_p_is_that_of_the_table(add_run, three_losses):
    table = compare(make_table(load_runs(add_run.runs), ["dice_image"]), Images(add_run.runs))
    claims = {(one.first, one.second): one.p_corrected for one in claims_of(add_run).claims}
    for (row, _), cell in table.cells.items():
        if cell.comparison:
            assert claims["tloss", row[0]] == cell.comparison.p_corrected


def test_a_loss_may_be_the_reference(add_run, three_losses):
    claims = claims_of(add_run, against="gce")
    assert {one.second for one in claims.claims} == {"gce"}
    assert claims.family == 2
    with pytest.raises(ValueError, match="no row has loss='gc'; did you mean gce"):
        claims_of(add_run, against="gc")


def test_fewer_seeds_have_no_interval_of_methods(add_run):
    for loss, shift in {"gce": 0.0, "tloss": 0.1}.items():
        for seed in range(2):
            add_run(loss, 0.3, images=values_of(shift), seed=seed)
    claims = claims_of(add_run)
    (claim,) = claims.claims
    assert (claim.methods, claim.lacking) == (None, "needs three seeds")
    assert "as methods: undecided, three common seeds are needed, there are 2." in sentence(claim)
    assert records(claims)[0]["methods_low"] is None
    assert not any(note.startswith("Methods:") for note in footnotes(claims))
    assert "needs three seeds" in render_claims(claims, "md")


def test_only_common_seeds_are_paired(add_run):
    seeds = {"gce": [0, 1, 2, 3], "tloss": [1, 2, 3, 7, 9]}
    values = {loss: {seed: values_of(0.01 * seed) for seed in of} for loss, of in seeds.items()}
    for loss, of in values.items():
        for seed, images in of.items():
            add_run(loss, 0.3, images=images, seed=seed)
    (claim,) = claims_of(add_run).claims
    arrays = [
        {seed: np.array([*images.values()]) for seed, images in values[loss].items()}
        for loss in ("tloss", "gce")
    ]
    all_runs = [np.mean([*of.values()]) for of in arrays]
    assert claim.difference == pytest.approx(all_runs[0] - all_runs[1])
    common = np.array([arrays[0][seed] - arrays[1][seed] for seed in (1, 2, 3)])
    assert claim.methods.difference == pytest.approx(common.mean())
    assert claim.methods.interval[0] == pytest.approx(float(over_seeds(common).low))
    assert "over three common seeds with this draw of wrong masks" in sentence(claim)


def test_a_seed_that_occurs_twice_cannot_be_paired(add_run):
    for loss, shift in {"gce": 0.0, "tloss": 0.1}.items():
        for seed in (0, 1, 2, 2):
            add_run(loss, 0.3, images=values_of(shift), seed=seed)
    (claim,) = claims_of(add_run).claims
    assert claim.methods is None
    assert "as methods: undecided, each seed is needed once." in sentence(claim)


@pytest.mark.parametrize(
    ("alpha", "draws", "said"),
    [
        (0.0, False, "over three seeds, ["),
        (0.3, False, "over three seeds with this draw of wrong masks, ["),
        (0.3, True, "over three seeds and draws of wrong masks, ["),
    ],
)
def test_what_seeds_stand_for_is_said(add_run, alpha, draws, said):
    for loss in ("gce", "tloss"):
        for seed in range(3):
            noise = {"noise_seed": seed} if draws else {}
            add_run(loss, alpha, images=values_of(0.1), seed=seed, **noise)
    claims = claims_of(add_run)
    assert said in sentence(claims.claims[0])
    note = " ".join(footnotes(claims))
    assert "Methods: 95% interval over seeds and images" in note
    assert ("for this draw of wrong masks (noise.seed)" in note) == (alpha > 0 and not draws)
    for loss in ("gce", "tloss"):
        for seed in range(3):
            add_run(loss, 0.7, images=values_of(0.1), seed=seed)  # one draw
    note = " ".join(footnotes(claims_of(add_run)))
    where = "" if alpha and not draws else "where masks come from one draw, "
    assert f"over seeds and images, {where}for this draw of wrong masks (noise.seed), for" in note


def test_draws_of_wrong_masks_are_no_seeds(add_run):
    values = {}
    for loss, shift in {"gce": 0.0, "tloss": 0.1}.items():
        for seed in range(3):
            for draw in range(2):
                values[loss, seed, draw] = images = values_of(shift + seed / 100 + draw / 50)
                add_run(loss, 0.3, images=images, seed=seed, noise_seed=draw)
    claims = claims_of(add_run)
    (claim,) = claims.claims
    arrays = {key: np.array([*images.values()]) for key, images in values.items()}
    by_seed = np.array(
        [
            np.mean([arrays["tloss", seed, d] - arrays["gce", seed, d] for d in range(2)], axis=0)
            for seed in range(3)
        ]
    )
    expected = over_seeds(by_seed)
    assert claim.methods.interval == pytest.approx((expected.low, expected.high))
    assert json.loads(render_claims(claims, "json"))[0]["seeds"] == 3
    assert ", over three seeds with these two draws of wrong masks, [" in sentence(claim)
    assert "images, for these draws of wrong masks (noise.seed)," in " ".join(footnotes(claims))


def test_one_seed_with_three_draws_says_nothing_of_methods(add_run):
    for loss in ("gce", "tloss"):
        for draw in range(3):
            add_run(loss, 0.3, images=values_of(0.1), seed=0, noise_seed=draw)
    (claim,) = claims_of(add_run).claims
    assert (claim.methods, claim.lacking) == (None, "needs three seeds")
    assert "undecided, three common seeds are needed, there is 1." in sentence(claim)


def test_seeds_that_share_a_draw_with_some_others_only_are_no_sample(add_run):
    for loss in ("gce", "tloss"):
        for seed, draw in enumerate((0, 0, 1)):
            add_run(loss, 0.3, images=values_of(0.1), seed=seed, noise_seed=draw)
    (claim,) = claims_of(add_run).claims
    assert (claim.methods, claim.lacking) == (
        None,
        "needs noise.seed alike for all seeds, or each its own",
    )
    assert "undecided, noise.seed has to be alike for all seeds, or each seed's own" in sentence(
        claim
    )


def test_lower_is_better_of_distances(add_run, monkeypatch):
    for loss in ("far", "near"):
        add_run(loss, 0.3, {"hd95": {"far": 0.2, "near": 0.1}[loss]})
    values = {"run00000": np.full(9, 0.2) + np.arange(9) / 90, "run00001": np.full(9, 0.1)}
    ids = [f"image{at}" for at in range(9)]
    all_of_them = np.ones(9, bool)
    monkeypatch.setattr(
        Images,
        "scores",
        lambda self, runs, metric: Scores(min(runs), ids, values[min(runs)], all_of_them),
    )
    (claim,) = claims_of(add_run, ["hd95"]).claims
    assert (claim.first, claim.second) == ("near", "far")
    assert claim.difference == pytest.approx((values["run00000"] - values["run00001"]).mean())
    assert claim.chance < 0.01


def test_equal_losses_are_equally_good(add_run):
    images = values_of(0)
    for loss in ("gce", "tloss"):
        add_run(loss, 0.3, images=images)
    (claim,) = claims_of(add_run).claims
    assert (claim.difference, claim.chance, claim.p_corrected) == (0, 0.5, 1)
    assert "the networks of GCE and of T-Loss are equally good" in sentence(claim)


def test_the_sentence_has_the_numbers(add_run, three_losses):
    claim = next(one for one in claims_of(add_run).claims if one.second == "gce")
    first = {"mae": "MAE", "tloss": "T-Loss"}[claim.first]
    low, high = claim.interval
    start, end = claim.methods.interval
    verdict = "separated" if start > 0 or end < 0 else "not separated"
    unsure = "" if low > 0 else ": not separated"
    chance = "<0.001" if claim.chance < 0.001 else f"{claim.chance:.3f}"
    p = "<0.001" if claim.p_corrected < 0.001 else f"{claim.p_corrected:.3f}"
    assert sentence(claim) == (
        f"dice_image, α=0.3 β=0.5: on these 40 images the networks of {first} are better "
        f"than those of GCE by {claim.difference:.3f} [{low:.3f}, {high:.3f}] (chance of the "
        f"opposite {chance}, corrected p {p}){unsure}; as methods, over three seeds with this "
        f"draw of wrong masks, [{start:.3f}, {end:.3f}]: {verdict}."
    ).replace("-", "−")


def test_an_end_below_zero_shows_its_sign():
    assert interval((-0.0002, 0.0031)) == "[−0.000, 0.003]"
    assert interval((-0.0, 0.5), 1) == "[0.0, 0.5]"


def test_formats_have_the_same_claims(add_run, three_losses):
    claims = claims_of(add_run)
    rows = list(csv.DictReader(io.StringIO(render_claims(claims, "csv"))))
    found = json.loads(render_claims(claims, "json"))
    assert len(rows) == len(found) == 3
    for row, record in zip(rows, found, strict=True):
        for name in ("difference", "low", "high", "chance", "p_corrected", "methods_low"):
            assert float(row[name]) == record[name]
    markdown = render_claims(claims, "md")
    assert f"\n\n**dice_image, α=0.3 β=0.5**: {overview(claims.claims)}.\n\n- " in markdown
    for record in found:
        assert f"- {record['sentence']}\n" in markdown
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    latex = render_claims(claims, "latex")
    assert latex.count(r"\item ") == 3 and r"\begin{tabular}{llllllllll}" in latex
    assert latex.isascii()
    assert "Images count as independent" in markdown and "as independent" in latex


def test_columns_of_one_pair_are_one_list(add_run):
    for loss in ("gce", "tloss"):
        for alpha in (0.3, 0.5):
            add_run(loss, alpha, images=values_of(0.0))
    markdown = render_claims(claims_of(add_run), "md")
    assert "Separated:" not in markdown
    first, second = (line for line in markdown.splitlines() if line.startswith("- "))
    assert f"\n\n{first}\n{second}\n" in markdown


def test_a_sentence_names_no_better_where_nothing_is_separated(add_run, three_losses):
    claim = claims_of(add_run).claims[0]
    for difference, ends, told in (
        (0.02, (0.01, 0.03), "are better than"),
        (0.02, (-0.01, 0.05), "differ by 0.020 [−0.010, 0.050]"),
        (0.0001, (-0.001, 0.002), "differ by 0.000 [−0.001, 0.002]"),
        (0.0002, (0.0001, 0.0003), "differ by 0.000 [0.000, 0.000]"),
    ):
        one = sentence(replace(claim, difference=difference, interval=ends))
        assert told in one and ("better" in one) == (told == "are better than")
        networks = one.partition("; as methods")[0]
        assert networks.endswith("not separated") == (ends[0] <= 0)


def test_a_metric_that_is_no_mean_over_images_is_left_out(add_run, three_losses):
    claims = claims_of(add_run, ["dice_image", "dice_pooled"])
    assert {one.column.metric for one in claims.claims} == {"dice_image"}
    assert "Left out, because it is not a mean over images: dice_pooled." in render_claims(
        claims, "md"
    )
    with pytest.raises(ValueError, match=r"which dice_pooled is not; .*dice_image"):
        claims_of(add_run, ["dice_pooled"])


def test_what_cannot_be_compared_is_refused(add_run):
    add_run("gce", 0.3, images=values_of(0))
    with pytest.raises(NoRuns, match="two rows on the same data: nothing to compare"):
        claims_of(add_run)
    add_run("gce", 0.3, images=values_of(0.1), batch_size=32)
    with pytest.raises(NoRuns, match="no other row agrees with gce in all labels but the loss: "):
        claims_of(add_run, against="gce")
    add_run("mae", 0.3, images=dict(itertools.islice(values_of(0).items(), N - 1)))
    with pytest.raises(UnlikeImages, match="image39 is in only one of them"):
        claims_of(add_run)
    add_run("tloss", 0.3, 0.7)
    with pytest.raises(NoImages):
        claims_of(add_run)


def test_claims_are_computed_once(add_run, three_losses, monkeypatch):
    first = claims_of(add_run)

    def read(run):
        raise AssertionError(f"{run} is read again")

    monkeypatch.setattr(image_scores, "_averaged", read)
    assert claims_of(add_run) == first
    with pytest.raises(AssertionError, match="is read again"):
        claims_of(add_run, against="gce")
