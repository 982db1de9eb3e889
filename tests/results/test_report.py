"""The page says what the runs say, and nothing that it should not."""

import html
import json
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robustseg.cli.main import main
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.claims.overview import overview
from robustseg.results.claims.sentences import sentence
from robustseg.results.load import load_runs
from robustseg.results.report.calls import training_calls
from robustseg.results.report.curve import HEIGHT, WIDTH, read_curve
from robustseg.results.report.embedded import embed
from robustseg.results.report.experiment_readme import readme_html
from robustseg.results.report.privacy import without_places
from robustseg.results.report.provenance import provenance
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notation import mean_std
from robustseg.runs.files import write_csv
from tests.conftest import without_checksums
from tests.results.conftest import FAILED, HOST, LOSS

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "polyline", "source"}


class Parsed(HTMLParser):
    """Elements of a page with their attributes, and the text outside of script and style."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def source(report):
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return Parsed(source)


def test_the_page_is_well_formed(page):
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(" " not in one for one in ids)
    links = [attributes["href"] for attributes in page.all("a")]
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(ids)
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "for"):
            assert set(attributes.get(name, "").split()) <= set(ids)
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_the_page_needs_nothing_from_elsewhere(page, source):
    assert len(page.all("script")) == 1
    assert page.all("link") == []
    for _, attributes in page.elements:
        assert attributes.get("src", "data:image/").startswith("data:image/")
    assert "@import" not in source
    assert not re.search(r"url\(", re.search(r"<style>(.*?)</style>", source, re.S)[1])
    policy = page.all("meta")[-1]["content"]
    assert "default-src 'none'" in policy


def test_figures_have_words(page):
    images = page.all("img")
    assert len(images) == 9
    assert all(len(image["alt"]) > 20 for image in images)
    captions = page.all("figcaption")
    assert len(captions) >= len(images)
    curves = page.all("svg")
    assert all("Test Dice goes from" in one["aria-label"] for one in curves)
    assert len(curves) == 5


def test_names_and_errors_are_text_not_markup(page):
    assert FAILED in page.text
    assert LOSS in page.text
    assert "DataError: no mask in …/masks on …: <b>look</b>" in page.text
    assert "second line" not in page.text
    assert not any("onerror" in attributes for _, attributes in page.elements)


def test_neither_paths_nor_hosts_are_told(source, hostile):
    for secret in (HOST, "/home/jane", "secret", str(hostile), str(hostile.parent)):
        assert secret not in source
    assert not re.search(r"[\"'\s=](/(?:home|root|tmp|work|Users|private)/)", source)


def test_tables_and_states_are_those_of_the_runs(page, hostile):
    runs = load_runs(hostile)
    for run in runs.to_dict("records"):
        assert mean_std(run["dice_image"]) in page.text
        assert run["run_id"] in page.text
    assert "5 runs: 3 finished, 2 not finished" in page.text
    items = [one for one in page.all("li") if "data-state" in one]
    assert sorted(one["data-state"] for one in items) == ["done"] * 3 + ["failed", "interrupted"]
    words = next(one["data-words"].split() for one in items if "-clean-" in one["data-words"])
    assert {"clean", "seed=0", "loss=tloss", "synthetic"} <= set(words)
    assert "noise.alpha=0.5" in page.text
    assert "robustseg report mine --runs '…/runs' -o report.html" in page.text
    assert "robustseg train" not in page.text  # there is no such preset


@pytest.mark.parametrize(("images", "pictures"), [("none", 0), ("train", 1), ("all", 2)])
def test_images_are_shown_as_asked(hostile, tmp_path, images, pictures):
    file = tmp_path / "page.html"
    command = ["report", "mine", "--runs", str(hostile), "--metric", "dice_image"]
    assert main([*command, "--images", images, "-o", str(file)]) == 0
    page = Parsed(file.read_text())
    assert sum("webp" in image["src"][:20] for image in page.all("img")) == pictures
    assert f"robustseg figures mine --runs '…/runs' --images {images}" in page.text


def test_claims_have_a_section_with_their_sentences(page, hostile):
    table = make_table(load_runs(hostile, experiment="mine"), ["dice_image"])
    claims = make_claims(table, Images(hostile))
    assert len(claims.claims) == 1  # T-Loss and GCE, trained on the same masks
    assert sentence(claims.claims[0]) in page.text
    assert "three common seeds are needed, there is 1" in page.text
    assert overview(claims.claims) in page.text
    assert [one["href"] for one in page.all("a") if "claims" in one["href"]] == ["#claims-1"]


def test_a_page_without_claims_says_why(add_run, tmp_path):
    for loss, shift in (("gce", 0.0), ("mae", 0.1)):
        folder = add_run(loss, 0.5, images={"a": 0.5 + shift, "b": 0.6 + shift})
        write_csv(folder.split, [{"id": one, "split": "test", "case": "c1"} for one in "ab"])
    page = tmp_path / "report.html"
    assert main(["report", "--runs", str(add_run.runs), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    said = (
        "No claims: claims need two test images or more, of two cases (patients, slides) or more."
    )
    assert text.count(said) == 1
    assert 'id="claims-' not in text


def test_images_of_private_data_are_not_shown(hostile, tmp_path):
    for path in hostile.glob("*-clean-*/config.yaml"):
        before = without_checksums(path.parent) and path.read_text()
        path.write_text(before.replace("public: true", "public: false"))
    try:
        command = ["report", "mine", "--runs", str(hostile), "--metric", "dice_image"]
        assert main([*command, "-o", str(tmp_path / "page.html")]) == 0
    finally:
        path.write_text(before)
    page = Parsed((tmp_path / "page.html").read_text())
    assert len(page.all("img")) == 7
    assert not any("webp" in image["src"][:20] for image in page.all("img"))
    assert len([one for one in page.all("div") if "results" in one.get("class", "")]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["other"], 1, "none of the 1 finished runs has any experiment"),
        (["--where", "alhpa=0.3"], 2, "did you mean alpha?"),
        (["--where", "trainer.max_epoch=3"], 2, "did you mean trainer.max_epochs?"),
        (["--where", "alpha"], 2, "KEY=VALUE"),
        (["--metric", "dice_imag"], 2, "did you mean dice_image?"),
        (["--runs", "/nowhere"], 1, "no such directory: /nowhere"),
    ],
)
def test_mistakes_are_answered_with_what_would_help(add_run, capsys, arguments, code, message):
    add_run("gce")
    assert main(["report", "--runs", str(add_run.runs), *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_report_is_of_chosen_settings_and_says_what_no_run_has(add_run, capsys, tmp_path):
    for loss, epochs in (("gce", 30.0), ("mae", 100.0)):
        folder = add_run(loss, 0.3, settings={"trainer": {"max_epochs": epochs}})
        folder.update_status(run=json.loads(folder.metrics.read_text())["run"])
    page = str(tmp_path / "page.html")
    chosen = ["--where", "trainer.max_epochs=30", "--loss", "foo", "gce"]
    assert main(["report", "--runs", str(add_run.runs), *chosen, "-o", page]) == 0
    output, errors = capsys.readouterr()
    assert "1 finished of 1 run" in output
    assert "No finished run has loss=foo" in errors


def test_the_commands_that_make_it_again_have_its_filters(hostile, tmp_path):
    def commands(*arguments):
        file = tmp_path / "page.html"
        assert main(["report", "--runs", str(hostile), *arguments, "-o", str(file)]) == 0
        found = re.search(r'<pre [^>]*class="commands">(.*?)</pre>', file.read_text(), re.S)
        return found[1].splitlines()

    chosen = ["--dataset", "synthetic", "--metric", "dice_image"]
    given = "--dataset synthetic --runs '…/runs'"
    assert [html.unescape(one) for one in commands("mine", *chosen)] == [
        f"robustseg table mine {given} --metric dice_image",
        f"robustseg figures mine {given}",
        f"robustseg report mine {given} --metric dice_image -o report.html",
    ]
    chosen = ["--loss", "tloss", LOSS, "--where", "alpha=0.5,0.7", "--metric", "dice_image,hd95"]
    filters = shlex.join([*chosen[:-2], "--runs", "…/runs"])
    assert "'</script>" in filters
    each = f"robustseg table {filters} --no-published --metric $metric"
    assert [html.unescape(one) for one in commands(*chosen, "--no-published")] == [
        f"for metric in dice_image hd95; do {each}; done",
        f"robustseg figures {filters}",
        f"robustseg report {filters} --metric dice_image,hd95 --no-published -o report.html",
    ]


def test_figures_of_several_data_sets_and_noise_models_are_made_again_each(
    add_run, tmp_path, monkeypatch
):
    for dataset, noise in (("synthetic", "markov"), ("synthetic", "elastic"), ("other", "markov")):
        folder = add_run("gce", 0.5, dataset=dataset, noise=noise)
        folder.update_status(run=json.loads(folder.metrics.read_text())["run"])
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--runs", "runs", "--metric", "dice_image", "-o", "page.html"]) == 0
    found = re.search(r'class="commands">(.*?)</pre>', Path("page.html").read_text(), re.S)
    commands = html.unescape(found[1]).splitlines()
    assert [one for one in commands if "figures" in one] == [
        "robustseg figures --dataset other --runs runs -o figures/other",
        *(
            f"robustseg figures --dataset synthetic --runs runs --noise {noise} "
            f"-o figures/synthetic-{noise}"
            for noise in ("elastic", "markov")
        ),
    ]
    for command in commands[:-1]:
        assert main(shlex.split(command)[1:]) in (0, 1)  # 1: one α alone is no figure


def test_sources_are_named_as_they_were_given_unless_that_tells_a_place(
    add_run, tmp_path, monkeypatch
):
    add_run("gce")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--runs", "runs", "-o", "page.html"]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "do robustseg table --runs runs --metric $metric; done\n" in page


def test_the_data_are_summed_up(page):
    words = page.text.partition("Data name synthetic ")[2].partition(" Tables ")[0]
    assert words.startswith("training images 10 test images 5 image size in pixels 32 ")
    assert "training images with a wrong mask 0, 5 fingerprint " in words


def test_pictures_that_are_left_out_are_named(trained, tmp_path):
    file = tmp_path / "page.html"
    assert main(["report", "--runs", str(trained), "--images", "train", "-o", str(file)]) == 0
    left_out = "Figures with images of the data set are left out: examples. --images all"
    assert left_out in file.read_text()


@pytest.mark.parametrize(
    ("calls", "lines"),
    [
        ([["loss=a", "seed=1"]], ["robustseg train loss=a seed=1"]),
        (
            [[f"loss={loss}", f"seed={seed}"] for loss in "ab" for seed in (0, 1)],
            ["robustseg train -m loss=a,b seed=0,1"],
        ),
        # not all combinations
        (
            [["loss=a", "seed=0"], ["loss=b", "seed=1"]],
            ["robustseg train loss=a seed=0", "robustseg train loss=b seed=1"],
        ),
        ([["loss=a"], ["seed=1"]], ["robustseg train loss=a", "robustseg train seed=1"]),
        ([["dataset.root=/home/me/my data"]], ["robustseg train 'dataset.root=…/my data'"]),
    ],
)
def test_the_training_calls_are_those_of_the_attempts(calls, lines):
    assert training_calls([{"attempts": [{"call": call}]} for call in calls]) == lines


def test_runs_without_a_call_have_no_training_call():
    assert training_calls([{}, {"attempts": [{"started": "then"}]}]) == []


def test_metrics_may_be_joined_by_commas(add_run, tmp_path):
    add_run("gce")
    file = tmp_path / "page.html"
    command = ["report", "--runs", str(add_run.runs), "--metric", "dice_image,dice_pooled"]
    assert main([*command, "-o", str(file)]) == 0
    text = file.read_text()
    assert "Table of dice_image" in text
    assert "Table of dice_pooled" in text


def test_losses_come_in_the_order_that_is_asked_for(add_run, tmp_path):
    for loss in ("gce", "mae"):
        folder = add_run(loss)
        folder.update_status(run=json.loads(folder.metrics.read_text())["run"])
    file = tmp_path / "page.html"
    for names in (["MAE", "GCE"], ["GCE", "MAE"]):
        losses = ",".join(names).lower()
        command = ["report", "--runs", str(add_run.runs), "--loss", losses, "-o", str(file)]
        assert main(command) == 0
        assert re.findall(r'<th scope="row">(GCE|MAE)</th>', file.read_text())[:2] == names


def test_a_run_without_a_number_has_no_dice(add_run, tmp_path):
    for seed, number in enumerate([0.5, None]):
        add_run("gce", numbers={"dice_image": number, "dice_pooled": 0.6}, seed=seed)
    path = tmp_path / "report.html"
    assert main(["report", "--runs", str(add_run.runs), "-o", str(path)]) == 0
    text = Parsed(path.read_text(encoding="utf-8")).text
    assert "Dice 0.500" in text and "Dice nan" not in text
    assert "0.500 [1 of 2]" in text
    for folder in add_run.runs.iterdir():  # nor have the others
        metrics = json.loads((folder / "metrics.json").read_text())
        del metrics["dice_image"]
        (folder / "metrics.json").write_text(json.dumps(metrics))
    assert main(["report", "--runs", str(add_run.runs), "-o", str(path)]) == 0


def test_of_many_runs_the_page_has_a_line_each(trained, tmp_path, monkeypatch):
    paths = [tmp_path / "whole.html", tmp_path / "brief.html"]
    for path, many in zip(paths, (1000, 2), strict=True):
        monkeypatch.setattr("robustseg.results.report.runlist.MANY", many)
        monkeypatch.setattr("robustseg.results.report.page.MANY", many)
        assert main(["report", "--runs", str(trained), "-o", str(path)]) == 0
    whole, brief = (Parsed(path.read_text()) for path in paths)
    for page in (whole, brief):
        listed = [one.get("id") for one in page.all("li") if "data-state" in one]
        assert listed == ["run-1", "run-2", "run-3"]
    assert "curves and settings are left out" in brief.text
    assert "curves and settings are left out" not in whole.text
    assert len(whole.all("polyline")) > 0 == len(brief.all("polyline"))
    assert "trainer.max_epochs=" in whole.text and "trainer.max_epochs=" not in brief.text


def test_a_readme_is_rendered_plainly(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(
        "# Title\n\n**Question.** Why? <script>x</script>\n\n## Part\n\n![picture](a.png)\n\n"
        "See [another](../other/README.md) and [the paper](https://example.org/p), "
        "[x](javascript:alert(1)).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    page = Parsed(readme_html(path))
    assert page.open == []
    assert page.all("script") == page.all("img") == page.all("h1") == []
    assert [one["href"] for one in page.all("a")] == ["https://example.org/p"]
    assert [name for name, _ in page.elements if name[0] == "h"] == ["h3"]
    assert "<script>x</script>" in page.text
    assert "See another and the paper" in page.text
    assert len(page.all("td")) == 2
    assert page.all("p") == [{}] * 2


def test_comments_of_a_readme_are_left_out(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(
        "# T\n\n<!-- robustseg table x -->\n\n| a |\n|---|\n| 1 |\n\n<!-- end -->\n\nb\n"
    )
    page = Parsed(readme_html(path))
    assert page.text.split() == ["a", "1", "b"]
    assert len(page.all("p")) == 1


def test_columns_of_a_readme_are_aligned_without_inline_styles(tmp_path):
    """Which the page's content security policy refuses, with an error in the console."""
    path = tmp_path / "README.md"
    path.write_text("| a | b | c |\n|---|--:|:-:|\n| 1 | 2 | 3 |\n")
    page = Parsed(readme_html(path))
    cells = [{}, {"class": "right"}, {"class": "center"}]
    assert page.all("th") == page.all("td") == cells


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no mask in /data/jane/masks: empty", "no mask in …/masks: empty"),
        ("open '/a b'", "open '…/a b'"),
        (r"open C:\Users\jane\x.png", "open …/x.png"),
        ("open file:///home/jane/x.png", "open …/x.png"),
        ("root:/data/jane root=/data/jane/", "root:…/jane root=…/"),
        ("~/data/x and /", "…/x and /"),
        ("1/2 of a/b, https://example.org/p", "1/2 of a/b, https://example.org/p"),
        ("lost on node7.lan, node7", "lost on …, node7"),
        (["/a/b", 1.0, None], ["…/b", 1.0, None]),
    ],
)
def test_places_are_left_out(text, told):
    assert without_places(text, ["node7.lan"]) == told


def test_a_curve_goes_from_the_first_to_the_last_evaluation(tmp_path):
    rows = [{"epoch": epoch, "train_loss": 1.0} for epoch in range(1, 401)]
    for row in rows[1::2]:
        row |= {"test_dice_image": row["epoch"] / 400, "train_dice_noisy": 0.5}
    write_csv(tmp_path / "epochs.csv", rows)
    curve = read_curve(tmp_path / "epochs.csv")
    points = [tuple(map(float, one.split(","))) for one in curve.lines["test"].split()]
    assert len(points) <= 60
    assert points[-1] == (WIDTH, 0.0)
    for x, y in points:
        assert x / WIDTH == pytest.approx(1 - y / HEIGHT, abs=2e-3)
    assert set(curve.lines) == {"test", "given"}
    assert curve.epochs == 400
    write_csv(tmp_path / "epochs.csv", rows[:1])
    assert read_curve(tmp_path / "epochs.csv") is None
    assert read_curve(tmp_path / "absent.csv") is None


@pytest.mark.parametrize("text", ["epoch,test_dice_image\n0,0.5\n", "epoch,test_dice_image\na,b\n"])
def test_epochs_of_wrong_content_have_no_curve(tmp_path, text):
    (tmp_path / "epochs.csv").write_text(text)
    assert read_curve(tmp_path / "epochs.csv") is None


def test_a_page_tells_what_could_not_be_read(hostile, tmp_path, refused):
    runs = shutil.copytree(hostile, tmp_path / "runs")
    noisy = [path for path in sorted(runs.iterdir()) if "-a0.5-" in path.name]
    (without_checksums(noisy[0]) / "images.csv").write_text("garbage")
    refused("os.open", lambda path: path == noisy[1] / "status.json")
    page = tmp_path / "page.html"
    assert main(["report", "--runs", str(runs), "-o", str(page)]) == 0
    text = Parsed(page.read_text(encoding="utf-8")).text
    assert f" {noisy[0].name}/images.csv is damaged: column 'garbage' holds no numbers" in text
    assert f"{noisy[1].name} unreadable status.json cannot be read (Permission denied)" in text
    assert str(tmp_path) not in page.read_text(encoding="utf-8")


def test_provenance_counts_runs_where_they_differ():
    commit = "0123456789abcdef+"
    one = {"versions": {"torch": "2.8", "numpy": "2.1"}, "commit": commit, "precision": None}
    said = provenance([one, one, {**one, "versions": {"torch": "2.9"}}, {}])
    assert said == {
        "torch": "2.8 (2 runs), 2.9 (1 run)",
        "numpy": "2.1",
        "commit": "0123456789ab+",
    }


def test_the_same_figure_gives_the_same_bytes():
    from robustseg.results.figures.style import legend, tiles

    def draw():
        figure, axes = tiles(2, "x", "y")
        axes[0].plot([1, 2], label="a")
        legend(figure, axes)
        return embed(figure, pictures=False)

    assert draw() == draw()
    assert draw().source.startswith("data:image/svg+xml;base64,")


def test_a_page_imports_neither_torch_nor_hydra():
    program = (
        "import sys, robustseg.results.report.page; "
        "print([name for name in ('torch', 'hydra', 'omegaconf') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert output.stdout.decode().strip() == "[]"
