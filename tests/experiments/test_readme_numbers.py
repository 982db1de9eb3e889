"""What READMEs say of the records in git is what the program makes of them."""

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from robustseg.cli.main import main
from robustseg.results.claims.sentences import interval
from robustseg.results.load import load_runs

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
NOISY = ("--where", "alpha=0.7", "beta=0.7")
spec = importlib.util.spec_from_file_location("pages", EXPERIMENTS / "pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)
FINDING = {"tloss_isic2017_small": 0, "tloss_shenzhen_small": 1}  # its column of the README


def records(*experiments):
    return ["--runs", *(str(EXPERIMENTS / name / "record") for name in experiments)]


def lines(text):
    """The lines of tables in a text, whatever the widths of their columns."""
    found = [line for line in text.splitlines() if line.startswith("|")]
    return [
        " | ".join(cell.strip() for cell in line.strip("|").split("|"))
        for line in found
        if not set(line) <= set("|-: ")
    ]


def printed(capsys, *call):
    assert main([*call]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.parent.name)
def test_the_tables_of_a_page_are_those_of_its_records(page):
    assert page.read_text(encoding="utf-8") == pages.renewed(page), "run: make pages"


def test_pages_have_tables():
    counts = Counter(page.parent.name for page in pages.pages() for _ in pages.calls(page))
    assert counts["tloss_isic2017_small"] == counts["tloss_shenzhen_small"] == 2
    assert len(counts) >= 9


@pytest.mark.parametrize("without", ["end -->", "robustseg table demo -->"])
def test_a_mark_without_its_other_is_refused(without, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("<!-- robustseg table demo -->\n\n| a |\n\n<!-- end -->\n", encoding="utf-8")
    assert list(pages.calls(page)) == [("table demo", "| a |\n")]
    page.write_text(page.read_text(encoding="utf-8").replace(without, "-->"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"README\.md: each"):
        list(pages.calls(page))


@pytest.mark.parametrize(
    "call, why",
    [
        ("table no_such", "names no experiment"),
        ("table tloss_area_tiles --metric no_such", "exit code 2"),
    ],
)
def test_a_call_that_prints_no_table_is_refused(call, why):
    with pytest.raises(SystemExit, match=f"robustseg {call}: {why}"):
        pages.printed(call)


STATE = re.compile(r"\| \[(\w+)\]\(.*being computed: (\d+) of (\d+) runs(.*) \|$", re.MULTILINE)


def test_the_counts_of_runs_are_those_of_the_records():
    text = (EXPERIMENTS / "README.md").read_text(encoding="utf-8")
    found = STATE.findall(text)
    for name, said, _, rest in found:
        own = sum(map(int, re.findall(r"(\d+) of our own", rest)))
        runs = load_runs(EXPERIMENTS / name / "record", experiment=name)
        assert len(runs) == int(said) + own, name
        page = (EXPERIMENTS / name / "README.md").read_text(encoding="utf-8")
        assert f"{said} of " in page
    assert found or "being computed" not in text


LOSSES = ("tloss", "gce", "mae", "ce", "sce", "rce", "ngce", "nce_rce", "ngce_mae", "ngce_rce")


def finding():
    """The cells of the table of 70 % wrong masks, by the heading of their group and their name."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("**70 % of the masks", 1)[1]
    group, cells = "", {}
    for line in lines(text.split("![", 1)[0]):
        name, *values = line.replace("**", "").split(" | ")
        if name.startswith("*"):
            group = name.strip("*").split()[0]
        cells[group, name] = values
    return cells


def readable(row):
    """A mean with its deviation, as tables show them."""
    if row["runs"] == 1:
        return f"{row['mean']:.3f} [1]"
    few = "" if row["runs"] == 3 else f" [{row['runs']}]"
    return f"{row['mean']:.3f}({round(row['std'] * 1000)}){few}"


@pytest.mark.parametrize("experiment, place", FINDING.items())
def test_the_finding_is_that_of_the_records(experiment, place, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    call = (experiment, *NOISY, *records(experiment), "--format", "json")
    rules = ("--select", "last", "noisy-val", "--no-published")
    table = json.loads(printed(capsys, "table", *call, *rules))
    means = {(row["loss"], row["metric"]): row for row in table if row.get("domain") != "batch"}
    told = finding()
    named = {
        "gce": "GCE",
        "dice": "Dice loss",
        "tloss": "T-Loss",
        "tloss_area": "T-Loss (area)",
        "tloss_ratio": "T-Loss (ratio)",
    }
    for loss, name in named.items():
        last = means[loss, "dice_image_last"]
        assert last["runs"] == 3 or loss in ("dice", "tloss_ratio")
        assert told["at", name][place] == readable(last)
        if loss != "gce":
            early = readable(means[loss, "dice_image_noisy_val"])
            assert told["stopped", name][place] == early
    metrics = ("--metric", "dice_image", "dice_image_tuned", "hd95")
    claims = json.loads(printed(capsys, "claims", *call, "--against", "tloss_area", *metrics))
    leads = {
        (claim["metric"], claim["second"]): f"{claim['difference']:.3f} "
        f"{interval((claim['methods_low'], claim['methods_high']))}"
        for claim in claims
        if claim["first"] == "tloss_area" and claim["seeds"] == 3
    }
    assert told["lead", "over GCE"][place] == leads["dice_image", "gce"]
    assert told["lead", "over the T-Loss"][place] == leads["dice_image", "tloss"]
    tuned = told["lead", "over the T-Loss, at tuned thresholds"]
    assert tuned[place] == leads["dice_image_tuned", "tloss"]
    page = (ROOT / "docs" / "tloss_area.md").read_text(encoding="utf-8")
    for metric in ("dice_image", "dice_image_tuned", "hd95"):
        assert leads[metric, "tloss"] in page


@pytest.mark.parametrize("metric", ["dice_image", "dice_image_tuned", "hd95"])
def test_the_mean_ranks_are_those_of_the_records(metric, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    losses = ("--loss", "tloss", "gce", "mae", "ce", "tloss_area", "--no-cost")
    call = ("ranks", *FINDING, *losses, "--metric", metric, *records(*FINDING))
    ranks = {row.split(" | ")[0]: row.split(" | ")[1] for row in lines(printed(capsys, *call))[:6]}
    own, other = ranks["T-Loss (area)"], ranks["T-Loss"]
    page = (ROOT / "docs" / "tloss_area.md").read_text(encoding="utf-8")
    assert f"(`{metric}`) | {other} | {own} |" in page
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    said = {
        "dice_image": f"is {own} at ½ (T-Loss {other})",
        "dice_image_tuned": f"but {own} at tuned thresholds ({other})",
        "hd95": f"and {own} by HD95 ({other})",
    }
    assert said[metric] in text


def test_small_and_large_lesions_are_those_of_the_record(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    name = "tloss_isic2017_small"
    call = ("table", name, *records(name), "--no-published", "--by", "size", "--format", "json")
    options = ("--metric", "area_ratio", *NOISY)
    area = {(row["loss"], row["metric"].partition("/")[2]): row["mean"]
            for row in json.loads(printed(capsys, *call, *options))}  # fmt: skip
    own, other, ratio = (
        [area[loss, part] for part in ("smallest", "largest")]
        for loss in ("tloss_area", "tloss", "tloss_ratio")
    )
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert (
        f"the smallest quarter at {own[0]:.1f} times their area, the largest at {own[1]:.2f}; "
        f"T-Loss {other[0]:.1f} and {other[1]:.2f}" in text
    )
    assert f"T-Loss (ratio) does so less ({ratio[0]:.1f} and {ratio[1]:.2f})" in text
    clean = json.loads(printed(capsys, *call, "--metric", "dice_image", "--where", "alpha=0"))
    dice = {row["loss"]: row["mean"] for row in clean if row["metric"] == "dice_image/smallest"}
    assert len(dice) == 13
    assert min(dice, key=dice.get) == "tloss_area"


def test_the_t_loss_keeps_its_dice_up_to_half_of_the_masks_wrong(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    call = ("tloss_shenzhen_small", "--where", "alpha=0.3,0.5", "--no-published")
    options = ("--metric", "dice_image", "--format", "json")
    table = json.loads(printed(capsys, "table", *call, *records(call[0]), *options))
    dice = {name: [row["mean"] for row in table if row["loss"] == name] for name in LOSSES}
    assert [len(of) for of in dice.values()] == [4] * 10
    low, high = min(dice["tloss"]), max(dice["tloss"])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"lungs {low:.3f} to {high:.3f}, ahead of all other published losses" in text
    assert "The nine other losses fall" in text
    others = [value for name, of in dice.items() if name != "tloss" for value in of]
    assert max(others) < low


def test_other_wrong_masks_are_those_of_the_record(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    options = ("--layout", "losses", "--metric", "dice_image", "--no-published")
    found = lines(printed(capsys, "table", "tloss_area", *options, *records("tloss_area")))
    losses, *rows = (line.replace("**", "").replace("†", "").split(" | ") for line in found)
    made = {(row[0].split(" α")[0], loss): cell for row in rows
            for loss, cell in zip(losses[1:], row[1:], strict=True)}  # fmt: skip
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## What the records show", 1)[1]
    table = re.search(r"(?s)\*\*\[Other wrong masks.*?\n\n(.*?)\n\n", text)
    _, *told = (line.replace("**", "").split(" | ") for line in lines(table[1]))
    kinds = ("annotator under", "annotator over", "annotator over, under", "markov")
    assert [row[0] for row in told] == ["GCE", "T-Loss", "T-Loss (area)", "T-Loss (ratio)"]
    for loss, *cells in told:
        assert cells == [made[kind, loss] for kind in kinds]
