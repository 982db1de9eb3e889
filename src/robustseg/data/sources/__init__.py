"""Sources of images and masks: files, splits and reading rules."""
