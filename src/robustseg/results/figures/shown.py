"""How much of a data set's images figures may show."""

IMAGES = ("none", "train", "all")  # none; training images only; test images too
