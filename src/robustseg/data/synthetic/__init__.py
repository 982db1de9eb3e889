"""Synthetic data sets that need no download: dermoscopy, chest X-rays, histopathology tiles."""

from robustseg.data.synthetic.source import Synthetic

__all__ = ["Synthetic"]
