"""The documentation site in a real browser, opened as files."""

import shutil

import pytest

from tests.docs.test_site import site  # noqa: F401  a fixture

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@pytest.fixture
def visit(site):  # noqa: F811
    """A function that opens a page of the site; at the end, nothing may have been fetched."""
    fetched = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def open_page(name, **how):
            page = browser.new_context(**how).new_page()
            page.on("request", lambda request: fetched.append(request.url))
            page.goto((site / name).as_uri())
            return page

        yield open_page
        browser.close()
    assert all(url.startswith(("file:", "data:")) for url in fetched)


def test_the_search_finds_pages(visit):
    page = visit("mathematics/tloss.html")
    page.locator("input.md-search__input").click()
    page.keyboard.type("dataset.folds")
    page.locator(".md-search-result__item").first.wait_for(timeout=20_000)
    links = page.locator(".md-search-result__link").evaluate_all("all => all.map(one => one.href)")
    assert any("/own_data.html" in link for link in links)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_as_dark_as_the_system(visit, scheme):
    page = visit("mathematics/tloss.html", color_scheme=scheme)
    page.locator(f"body[data-md-color-media*='{scheme}']").wait_for()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shades = [int(part) for part in paper.strip("rgba()").split(",")[:3]]
    assert (max(shades) < 80) == (scheme == "dark")
    inverted = page.evaluate("getComputedStyle(document.querySelector('.formula')).filter")
    assert (inverted == "invert(1)") == (scheme == "dark")


def test_a_page_fits_a_narrow_screen(visit):
    page = visit("tutorial.html", viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
