"""What the values of a mask in memory mean: 0 is background, 1 foreground."""

IGNORED = 255  # counts as neither, in losses and metrics alike
