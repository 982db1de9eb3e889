"""Data: sources of images and masks, their fingerprint, the cache, and checks."""
