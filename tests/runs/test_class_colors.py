import re

import numpy as np

from robustseg.runs.class_colors import class_color, class_palette


def test_classes_have_colours_of_their_own():
    colors = [class_color(value) for value in range(256)]
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    assert len(set(colors[:41])) == 41
    table = np.array(class_palette()).reshape(256, 3)
    assert [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in table] == colors
    near = np.abs(table[1:21, None] - table[None, 1:21]).sum(-1) + 999 * np.eye(20, dtype=int)
    assert near.min() > 20
