"""robustseg: which segmentation loss survives bad masks."""

import os

# albumentations asks the package registry for a newer version at import unless this is set first.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"

IGNORED = 255  # the value of a mask's pixels that do not count; 0 is background, 1 foreground
# The foreground classes of label maps, in their order, wherever they are drawn; then from the start
# again. Okabe and Ito's for the colour-blind, the bright ones first, which show on films.
CLASS_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#0072B2", "#D55E00")
