"""Records: what tables need of finished runs, in a few small files that git can keep.

`robustseg.records.layout` says what is in one.
"""

from robustseg.records.merging import merge
from robustseg.records.packing import PackReport, pack
from robustseg.records.record import run_ids

__all__ = ["PackReport", "merge", "pack", "run_ids"]
