"""Runs of a sweep side by side: a pool of processes, their places, one display."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"outcomes": ["SweepCallback"]})
