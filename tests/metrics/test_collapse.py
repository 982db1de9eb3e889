import pytest

from robustseg.metrics.collapse import collapse


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
