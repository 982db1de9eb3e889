"""The numbers in the sentences of pages are those of the records."""

import sys

import pytest

from tests.conftest import ROOT

EXPERIMENTS = ROOT / "experiments"
sys.path.insert(0, str(EXPERIMENTS))  # prose.py imports pages.py as the script that it is

import prose  # noqa: E402

CHECKED = [page for page in prose.pages() if "<!-- numbers" in page.read_text(encoding="utf-8")]
CLAIMS = "<!-- numbers: claims tversky_smooth --metric dice_image -->"
OF_TWO_SEEDS = "table tloss_area_tiles --metric dice_image --no-published"
TABLE = f"<!-- numbers: {OF_TWO_SEEDS} -->"


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.parent.name)
def test_the_numbers_of_a_page_are_those_of_its_records(page):
    assert prose.stale(page) == []


def test_pages_with_a_finding_are_checked():
    names = {page.parent.name for page in CHECKED}
    assert len(names) >= 11
    assert {"tloss_area", "tloss_isic2017_small", "tloss_shenzhen_small", "docs"} <= names


@pytest.fixture
def page(tmp_path):
    def write(*lines):
        path = tmp_path / "README.md"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def claim():
    """A claim of a record in git, with its numbers as sentences have them."""
    numbers = prose.Numbers()
    text = prose.printed("claims tversky_smooth --metric dice_image --format json")
    numbers.add_claims(prose.json.loads(text))
    return next(one for one in numbers.claims if one[0] > 0.01 and one[1] > 0)


def written(claim, shift=0.0):
    mean, low, high = (f"{number:.3f}".replace("-", "−") for number in claim)
    return f"{float(mean) + shift:.3f} [{low}, {high}]"


def test_a_claim_is_looked_up_as_a_whole(page, claim):
    turned = tuple(-number for number in (claim[0], claim[2], claim[1]))
    assert prose.stale(page(f"ahead by {written(claim)}.", CLAIMS)) == []
    mean, low, high = (f"{number:.3f}".replace("-", "−") for number in turned)
    assert prose.stale(page(f"behind by {mean} [{low}, {high}].", CLAIMS)) == []
    (found,) = prose.stale(page("", f"ahead by {written(claim, 0.001)}.", CLAIMS))
    assert f"README.md:2: {written(claim, 0.001)}; nearest: {written(claim)} (dice_image" in found


def test_an_interval_alone_is_looked_up(page, claim):
    interval = written(claim).split(" ", 1)[1]
    assert prose.stale(page(f"| both | {interval} |", CLAIMS)) == []
    (found,) = prose.stale(page("as methods: [−0.123, 0.456]", CLAIMS))
    assert "README.md:1: [−0.123, 0.456]" in found


def test_means_are_those_of_tables_claims_and_lists(page, claim):
    table = prose.printed(OF_TWO_SEEDS)
    mean, deviation = next(one for one in prose._MEAN.findall(table) if one[1])
    known = f"{mean}{deviation}, {mean}, 0.915"
    assert prose.stale(page(known, TABLE, "<!-- numbers by hand: 0.915 -->")) == []
    assert prose.stale(page(known, TABLE))[0].endswith(": 0.915")
    assert prose.stale(page(f"{mean}(999)", TABLE))[0].endswith(f": {mean}(999)")
    assert prose.stale(page(f"{claim[0]:.3f} less", CLAIMS)) == []


def test_only_sentences_with_numbers_of_three_decimals_are_checked(page):
    rest = ("<!-- a comment: 0.123 -->", "0.12, 1.2345, 0.5, v1.0.123", TABLE)
    assert prose.stale(page(*rest)) == []
    assert prose.stale(page("0.123, without a call")) == []
    assert prose.stale(page("12.345 min", TABLE))[0].endswith(": 12.345")


def test_a_claim_of_methods_has_its_own_difference():
    numbers = prose.Numbers()
    bounds = {"low": 0.01, "high": 0.03, "methods_low": 0.011, "methods_high": 0.055}
    names = dict.fromkeys(("metric", "noise", "alpha", "beta", "first", "second"))
    own = {"difference": 0.021, "methods_difference": 0.033, "p_corrected": 0.5}
    numbers.add_claims([names | bounds | own])
    assert {(0.021, 0.01, 0.03), (0.033, 0.011, 0.055)} < set(numbers.claims)
    assert (0.021, 0.011, 0.055) not in numbers.claims
    assert {"0.021", "0.033", "0.500"} == numbers.means


def test_tables_of_calls_keep_the_numbers_of_lines(page):
    call = "<!-- robustseg table tversky_smooth -->"
    path = page(call, "", "| 0.321 |", "", "<!-- end -->", "0.321, 0.322", CLAIMS)
    (found,) = prose.stale(path)
    assert found == f"{path}:6: 0.322"
