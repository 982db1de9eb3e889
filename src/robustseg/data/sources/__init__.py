"""Where images and masks come from: their files, splits and reading rules."""
