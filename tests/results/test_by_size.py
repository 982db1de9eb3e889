"""Numbers of quarters of the test images, against pandas by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.cli.main import main
from robustseg.errors import ConfigError
from robustseg.metrics.size_quarters import QUARTERS, quarters
from robustseg.metrics.summary import summarise, summarise_last
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import Images, joined
from robustseg.results.tables.query import TableQuestion, answer, table_of
from robustseg.runs.files import write_csv

N = 21  # images; the last has no foreground


@pytest.fixture
def add_sized(add_run):
    """Writes a run on images of areas 10, 20, …, 200 in a shuffled order; returns its rows."""

    def add(loss, seed=0, first=0, **more):
        rng = np.random.default_rng([len(loss), seed, first])
        areas = np.append(np.random.default_rng(7).permutation(N - 1) + 1, 0) * 10
        rows = []
        for epoch in (3, 4):
            for at, area in enumerate(areas):
                tp = int(rng.integers(0, area + 1))
                counts = {"tp": tp, "fp": int(rng.integers(0, 60)), "fn": int(area) - tp}
                rows.append({"epoch": epoch, "id": f"f{at + first}", **counts, "tn": 400})
        frame = pd.DataFrame(rows)
        numbers = summarise_last({name: frame[name] for name in frame if name != "id"}, 2)
        numbers |= {"test_images": N, "evaluations": 2, "average_precision": 0.5}
        write_csv(add_run(loss, numbers=numbers, seed=seed, **more).images, rows)
        return frame

    add.runs = add_run.runs
    return add


def by_hand(frame, metric):
    """The number of each quarter, by pandas' quantiles of the areas of 20 images."""
    area = frame["tp"] + frame["fn"]
    frame = frame[area > 0].assign(part=pd.qcut(area[area > 0], 4, labels=QUARTERS))
    return {
        name: np.mean([summarise(one)[metric] for _, one in of.groupby("epoch")])
        for name, of in frame.groupby("part", observed=True)
    }


def asked(*metrics, by="size"):
    return TableQuestion(metrics=metrics, by=by)


@given(st.lists(st.integers(0, 50), max_size=60))
def test_quarters_follow_the_area_and_do_not_depend_on_the_order(areas):
    names = quarters(areas)
    assert [bool(name) for name in names] == [area > 0 for area in areas]
    by_area = sorted(
        (area, QUARTERS.index(name)) for area, name in zip(areas, names, strict=True) if name
    )
    assert [part for _, part in by_area] == sorted(part for _, part in by_area)
    assert quarters(areas[::-1])[::-1].tolist() == names.tolist()
    assert quarters(areas * 3).tolist() == names.tolist() * 3  # evaluations repeat images


@given(st.integers(1, 40), st.randoms())
def test_different_areas_give_quarters_of_one_size(count, random):
    areas = random.sample(range(1, 1000), 4 * count)
    names = quarters(areas).tolist()
    assert [names.count(name) for name in QUARTERS] == [count] * 4


@pytest.mark.parametrize("metric", ["dice_image", "dice_pooled", "area_ratio", "dice_image_pos"])
def test_a_quarter_has_the_number_of_its_images(add_sized, metric):
    frame = add_sized("gce")
    sources = Sources.of(add_sized.runs)
    table = table_of(load_runs(sources), sources, asked(metric))
    assert [column.metric for column in table.columns] == [
        metric,
        *(f"{metric}/{name}" for name in QUARTERS),
    ]
    found = {column.metric: cell.mean for (_, column), cell in table.cells.items()}
    for name, wanted in by_hand(frame, metric).items():
        assert found[f"{metric}/{name}"] == pytest.approx(wanted)


def test_quarters_are_tested_over_their_images(add_sized):
    frames = {loss: add_sized(loss) for loss in ("gce", "tloss")}
    dice = {
        loss: (2 * one["tp"] / (2 * one["tp"] + one["fp"] + one["fn"])).groupby(one["id"]).mean()
        for loss, one in frames.items()
    }
    area = (frames["gce"]["tp"] + frames["gce"]["fn"]).groupby(frames["gce"]["id"]).first()
    images = Images(add_sized.runs)
    runs = load_runs(add_sized.runs)
    for number, name in enumerate(QUARTERS):
        chosen = area[area > 50 * number][lambda of, top=50 * (number + 1): of <= top].index
        for run_id, loss in zip(runs["run_id"], runs["loss"], strict=True):
            ids, own = images.mean([run_id], f"dice_image/{name}")
            assert set(ids) == set(chosen)
            assert own == pytest.approx(dice[loss][ids].to_numpy())
    table, _ = answer(runs, Sources.of(add_sized.runs), asked("dice_image"), intervals=True)
    compared = {column.metric for (_, column), cell in table.cells.items() if cell.comparison}
    assert compared == {"dice_image", *(f"dice_image/{name}" for name in QUARTERS)}


def test_folds_are_cut_into_quarters_together(add_sized):
    settings = [{"dataset": {"folds": 2.0, "fold": float(fold)}} for fold in range(2)]
    frames = [
        add_sized("gce", first=fold * N, settings=own, name=f"fold{fold}")
        for fold, own in enumerate(settings)
    ]
    sources = Sources.of(add_sized.runs)
    table = table_of(load_runs(sources), sources, asked("dice_pooled"))
    found = {column.metric: cell.mean for (_, column), cell in table.cells.items()}
    for name, wanted in by_hand(pd.concat(frames), "dice_pooled").items():
        assert found[f"dice_pooled/{name}"] == pytest.approx(wanted)
    ids, _ = Images(sources).mean([joined(["fold0", "fold1"])], "dice_image/smallest")
    assert len(ids) == 10
    assert len({int(one.removeprefix("f")) // N for one in ids}) == 2


def test_what_gives_no_quarters_is_refused(add_sized, add_run):
    add_sized("gce")
    sources = Sources.of(add_sized.runs)
    runs = load_runs(sources)
    with pytest.raises(ConfigError, match="average_precision does not derive from single images"):
        table_of(runs, sources, asked("average_precision"))
    table = table_of(runs, sources, asked("average_precision", "dice_image"))
    assert [column.metric for column in table.columns][:2] == ["average_precision", "dice_image"]
    few = add_run("mae", numbers={"dice_image": 0.5, "test_images": 3, "evaluations": 1})
    rows = [{"epoch": 4, "id": f"i{k}", "tp": 5, "fp": 10, "fn": 0, "tn": 9} for k in range(3)]
    write_csv(few.images, rows)
    sources = Sources.of(add_run.runs)
    with pytest.raises(ConfigError, match=r"no test image of .* is in the quarter 'second'"):
        table_of(load_runs(sources, loss="mae"), sources, asked("dice_image"))


def test_a_metric_of_some_runs_is_shown_for_them(add_sized, add_run):
    """Rows of older runs lack the counts at the tuned threshold."""
    add_sized("gce")
    frame = add_sized("tloss")
    tuned = frame.assign(**{f"{name}_tuned": frame[name] for name in ("tp", "fp", "fn", "tn")})
    columns = {name: tuned[name] for name in tuned if name != "id"}
    numbers = summarise_last(columns, 2) | {"test_images": N, "evaluations": 2}
    write_csv(add_run("tloss", numbers=numbers, seed=1).images, tuned.to_dict("records"))
    sources = Sources.of(add_sized.runs)
    runs = load_runs(sources, loss=["gce", "tloss"], seed=[0, 1])
    table = table_of(runs, sources, asked("dice_image_tuned"))
    found = {column.metric: cell.mean for (_, column), cell in table.cells.items() if cell.n}
    wanted = by_hand(frame, "dice_image")
    assert found["dice_image_tuned/smallest"] == pytest.approx(wanted["smallest"])


def test_the_command_says_what_quarters_are(add_sized, capsys):
    add_sized("gce")
    add_sized("tloss")
    call = ["--runs", str(add_sized.runs), "--by", "size"]
    assert main(["table", *call, "--metric", "dice_image"]) == 0
    text = capsys.readouterr().out
    assert "dice_image/smallest" in text
    assert "quarters of the test images with foreground, by the area of the true mask" in text
    assert main(["claims", *call]) == 0
    assert "dice_image/largest" in capsys.readouterr().out
