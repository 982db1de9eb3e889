"""The page in a real browser, from a file."""

import shutil
from itertools import product

import pytest

from robustseg.cli.main import main
from robustseg.runs.files import write_csv

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, report):
    """Open the page; at the end, nothing may have been complained of or fetched."""
    contexts, complaints = [], []

    def open_page(file=report, **how):
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith("data:") or request.url.startswith(file.as_uri())
                else complaints.append(request.url)
            ),
        )
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def column(page, at=0):
    cells = page.locator(".results table").first.locator(f"tbody tr > :nth-child({at + 1})")
    return cells.all_inner_texts()


def test_every_figure_is_shown(visit):
    page = visit()
    widths = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
    assert len(widths) == 9  # all but domain_against_batch_size
    assert all(widths)


def test_a_table_is_sorted_by_click(visit):
    page = visit()
    heading = page.locator(".results th").first
    assert heading.get_attribute("aria-sort") is None
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page) == ["GCE", "T-Loss"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page) == ["T-Loss", "GCE"]


def test_a_table_is_sorted_by_keyboard_with_missing_cells_last(visit):
    page = visit()
    clean = page.locator(".results table").first.locator("th", has_text="clean")
    clean.get_by_role("button").focus()
    for order in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert clean.get_attribute("aria-sort") == order
        assert column(page, 1)[-1] == "–"
    assert page.locator(".results table").first.locator("th[aria-sort]").count() == 1


def test_the_first_stop_of_the_keyboard_skips_to_the_results(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_runs_are_filtered(visit):
    page = visit()
    count = page.locator("#run-count")
    assert count.inner_text() == "5 of 5 runs"
    page.locator("#filter-state").select_option("done")
    assert count.inner_text() == "3 of 5 runs"
    page.locator("#filter-loss").select_option("tloss")
    assert count.inner_text() == "2 of 5 runs"
    page.locator("#filter-text").fill("noise.alpha=0.5")
    assert count.inner_text() == "1 of 5 runs"
    assert page.locator(".runs > li:visible").count() == 1
    page.locator("#filter-text").fill("no such run")
    assert count.inner_text() == "0 of 5 runs"


def test_the_text_finds_runs_by_whole_words(visit, add_run, tmp_path):
    """In the experiment's name, in captions and in GCE's settings there are all of these words."""
    names = []
    for loss, alpha, seed in product(["ce", "gce", "mae", "tloss"], [0.0, 0.7], [0, 1]):
        names.append(f"isic2017-{loss}-{'a0.7-b0.7' if alpha else 'clean'}-s{seed}-0ce{seed}ce")
        folder = add_run(
            loss,
            alpha,
            seed=seed,
            beta=0.7 if alpha else None,
            dataset="isic2017",
            name=names[-1],
            experiments=["tloss_isic2017_cpu"],
            settings={
                "loss": {"name": loss, **({"q": 0.7} if loss == "gce" else {})},
                "optimizer": {"name": "adam", "lr": 0.001},
            },
        )
        write_csv(folder.epochs, [{"epoch": 1, "test_dice_image": 0.8}])
    file = tmp_path / "report.html"
    assert main(["report", "--runs", str(add_run.runs), "-o", str(file)]) == 0
    page = visit(file)
    found = {
        "tloss 0.7 lr=0.001": "-tloss-a0.7-",
        "clean": "-clean-",
        "ce": "-ce-",
        "alpha=0.7 s0": "-a0.7-b0.7-s0-",
        "seed=1 optimizer.lr=0.001": "-s1-",
        "LOSS.q=0.7": "-gce-",
        "tlo": "-tloss-",
        "lr=0.01": "no run",
    }
    for text, part in found.items():
        page.locator("#filter-text").fill(text)
        shown = page.locator(".runs > li:visible .name").all_inner_texts()
        assert shown == sorted(name for name in names if part in name), text
        assert page.locator("#run-count").inner_text() == f"{len(shown)} of 16 runs"


def test_a_link_to_a_failed_run_opens_it_even_if_it_is_filtered_out(visit):
    page = visit()
    page.locator("#filter-state").select_option("done")
    page.locator("#unusable td a").first.click()
    opened = page.locator(".runs > li > details[open]")
    opened.wait_for()  # the address changes first, and the page hears of it later
    assert opened.count() == 1
    assert "DataError" in opened.inner_text()
    assert page.locator("#run-count").inner_text() == "5 of 5 runs"


def test_a_run_expands_by_keyboard(visit):
    page = visit()
    page.locator(".runs > li > details > summary").last.focus()
    page.keyboard.press("Enter")
    assert page.locator(".runs > li").last.locator("svg").is_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(visit, width):
    page = visit(viewport={"width": width, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in (".card", "pre", "#unusable .scroll", "#again .scroll"):
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert page.locator(part).evaluate_all(cut) == 0, part


def test_dark_and_light(visit):
    def colors(scheme):
        page = visit(color_scheme=scheme)
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        card = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        return body, card

    assert colors("light") == ("rgb(255, 255, 255)", "rgb(255, 255, 255)")
    body, card = colors("dark")
    assert max(map(int, body[4:-1].split(","))) < 50
    assert card == body


def test_figures_suit_the_dark(visit):
    def shown(scheme):
        page = visit(color_scheme=scheme)
        images = page.locator(".card img")
        images.first.wait_for()
        return images.evaluate_all(
            "all => all.map(one => [getComputedStyle(one).filter, one.currentSrc])"
        )

    light, dark = shown("light"), shown("dark")
    assert {filtered for filtered, _ in light} == {"none"}
    for (_, by_day), (filtered, by_night) in zip(light, dark, strict=True):
        # A drawing is inverted; a figure with pictures has another version.
        assert (by_day == by_night) == ("invert" in filtered)
    assert {filtered for filtered, _ in dark} == {"none", "invert(1) hue-rotate(180deg)"}


def test_paper_shows_all_tables(visit):
    page = visit()
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert len(page.pdf()) > 10_000
    assert page.locator("details.more").first.get_attribute("open") is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_telephone(visit, scheme):
    page = visit(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for part in (".results", ".card", "nav", "pre"):
        for one in page.locator(part).all():
            if one.is_visible():
                assert one.evaluate("e => e.scrollWidth - e.clientWidth") <= 0, part
