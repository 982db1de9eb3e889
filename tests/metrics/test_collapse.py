import pytest

from robustseg.metrics.collapse import collapse, collapse_of
from robustseg.metrics.summary import COUNTS


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((50, 10, 50, 890), None),
        ((0, 0, 100, 900), "background"),
        ((0, 0, 1, 999), "background"),  # rare foreground, all of it missed
        ((1, 0, 0, 999), None),  # rare foreground, found
        ((0, 1, 200, 799), "background"),  # a single pixel is next to nothing
        ((100, 900, 0, 0), "foreground"),
        ((100, 895, 0, 5), "foreground"),
        ((100, 0, 0, 900), None),
        ((0, 0, 0, 1000), None),  # nothing to find, nothing found
        ((1000, 0, 0, 0), None),
        ((0, 0, 1000, 0), None),
    ],
)
def test_collapse_is_measured_against_the_class_itself(counts, said):
    assert collapse(*counts) == said


def columns(**classes):
    return {
        f"{name}/{of}": [value, 0]  # of two images
        for of, counts in classes.items()
        for name, value in zip(COUNTS, counts, strict=True)
    }


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((0, 0, 500, 500), (0, 0, 100, 900), "background"),
        ((0, 0, 500, 500), (0, 0, 0, 1000), "background"),  # b is in no test mask
        ((0, 0, 500, 500), (0, 3, 0, 997), "background"),
        ((400, 0, 100, 500), (0, 0, 0, 1000), None),
        ((0, 0, 500, 500), (0, 300, 0, 700), None),  # something is predicted
        ((0, 0, 500, 500), (0, 998, 0, 2), "foreground"),
        ((0, 0, 500, 500), (80, 0, 20, 900), None),
        ((500, 498, 0, 2), (0, 0, 0, 1000), "foreground"),
        ((0, 0, 0, 1000), (0, 0, 0, 1000), None),
    ],
)
def test_a_class_without_truth_hides_no_collapse(a, b, said):
    assert collapse_of(columns(a=a, b=b)) == collapse_of(columns(b=b, a=a)) == said


def test_of_binary_masks_it_is_that_of_the_sums():
    assert (
        collapse_of(dict(zip(COUNTS, [[0, 0], [0, 1], [90, 110], [400, 399]], strict=True)))
        == "background"
    )
    assert collapse_of(dict(zip(COUNTS, [[0], [1000], [0], [0]], strict=True))) is None
