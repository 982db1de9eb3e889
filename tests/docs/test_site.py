"""The documentation site: it builds without a warning, is complete, and fetches nothing."""

import html
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("experiments/**/*.md")),
    *sorted(ROOT.glob("benchmarks/*.md")),
]
pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install -e '.[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)  # raises Abort at a warning
    config.plugins.on_shutdown()
    return folder


def text_of(page):
    """The words of a page's article, without its marks."""
    article = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", article)).split())


def test_every_setting_is_there_with_its_comment(site):
    pages = {page.stem: text_of(page) for page in (site / "reference/settings").glob("*.html")}
    files = [
        file
        for file in (ROOT / "conf").glob("**/*.yaml")
        if file.parent.name not in ("help", "hydra_logging", "job_logging")
    ]
    assert len(files) > 50
    for file in files:
        group = str(file.parent.relative_to(ROOT / "conf")).replace("/", "_")
        page = pages["index" if group == "." else group]
        for line in file.read_text(encoding="utf-8").splitlines():
            setting, _, comment = line.partition("#")
            assert " ".join(setting.split()) in page, f"{file}: {line}"
            if "@package" not in comment:
                assert " ".join(comment.replace("`", "").split()) in page, f"{file}: {line}"


def test_settings_that_choices_share_are_described(site):
    from robustseg.setting_groups import group_of, rules
    from robustseg.settings import Settings

    for group in ("", *rules(Settings)):
        kind = group_of(Settings, group) if group else Settings
        if kind is None:
            continue
        inside = not (site / f"reference/settings/{group}.html").exists()
        page = text_of(site / f"reference/settings/{'index' if inside else group}.html")
        for name, rule in rules(kind).items():
            if group_of(kind, name) is None and name != "_target_":
                assert f"{group}.{name}".removeprefix(".") in page
                assert " ".join(rule.text.split()) in page


def test_everything_exported_is_documented(site):
    from robustseg import losses, metrics
    from robustseg.losses import regularizers

    for module, page in ((losses, "losses"), (regularizers, "losses"), (metrics, "metrics")):
        content = (site / f"reference/{page}.html").read_text(encoding="utf-8")
        for name in module.__all__:
            assert f'id="{module.__name__}.{name}"' in content


def test_formulas_are_drawn_and_readable(site):
    content = (site / "mathematics/tloss.html").read_text(encoding="utf-8")
    assert "arithmatex" not in content
    assert r'alt="S = \nu e^{-\lambda}"' in content
    assert ":func:" not in (site / "reference/losses.html").read_text(encoding="utf-8")


def test_experiments_and_benchmarks_are_published_with_their_figures(site):
    for page in [*ROOT.glob("experiments/**/README.md"), ROOT / "benchmarks" / "README.md"]:
        assert (site / page.relative_to(ROOT)).with_name("index.html").exists()
    assert (site / "benchmarks" / "performance.png").exists()
    assert 'href="../experiments/tloss_isic2017_cpu/' in (
        site / "benchmarks" / "index.html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "target"),
    [
        ("index", "reference/settings/index.html"),
        ("own_data", "reference/settings/dataset.html#folder"),
        ("tutorial", "reference/settings/noise.html"),
    ],
)
def test_links_to_settings_lead_to_their_pages(site, page, target):
    article = (site / f"{page}.html").read_text(encoding="utf-8").partition("<article")[2]
    assert f'href="{target}"' in article


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_hold_in_the_repository(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file = page.parent / target.partition("#")[0]
        if not re.match(r"https?:|#", target):
            assert file.resolve().exists(), target


def test_nothing_is_fetched_when_a_page_is_read(site):
    pages = list(site.glob("**/*.html"))
    assert len(pages) > 30
    for page in pages:
        content = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=[\"']?(\w+:)?//", content)
        loaded += re.findall(r"<link[^>]* href=[\"']?(?:\w+:)?//[^>]*>", content)
        assert not loaded, page
    for style in site.glob("**/*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", style.read_text(encoding="utf-8"))
