"""Sweeps: launchers, a pool of processes and where they run, the time limit, one display."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"sweep": ["SweepCallback"]})
