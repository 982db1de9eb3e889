"""Masks that are wrong in exactly the way that was asked for."""

from robustseg.noise.injection import inject
from robustseg.noise.manifest import COLUMNS, summary
from robustseg.noise.model import Corruption, Donors, NoiseModel

__all__ = ["COLUMNS", "Corruption", "Donors", "NoiseModel", "inject", "summary"]
