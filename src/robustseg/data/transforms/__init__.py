"""Augmentation of the public T-Loss code that albumentations lacks.

That code augments with batchgenerators 0.21 and its own transforms, on images scaled as the network
sees them: [-1, 1] in colour, [0, 1] in grey. The classes here take and return uint8 like all of
albumentations, so values are rounded to 1/255 of the scale and clipped at its ends.
"""

from robustseg.data.transforms.each_channel import EachChannel
from robustseg.data.transforms.grey_levels import Brightness, Contrast, Gamma
from robustseg.data.transforms.zoomed_crop import ZoomedCrop

__all__ = ["Brightness", "Contrast", "EachChannel", "Gamma", "ZoomedCrop"]
