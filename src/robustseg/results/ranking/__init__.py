"""Ranks of losses over noise settings and data sets."""
