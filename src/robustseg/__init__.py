"""robustseg: which segmentation loss survives bad masks."""

import os

# albumentations asks the package registry for a newer version at import unless this is set first.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"

IGNORED = 255  # the value of a mask's pixels that do not count; 0 is background, 1 foreground
