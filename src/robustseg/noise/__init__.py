"""Noise models: they corrupt masks in a controlled way."""

from robustseg.noise.annotator import Annotator
from robustseg.noise.confuse import Confuse
from robustseg.noise.elastic import Elastic
from robustseg.noise.injection import inject
from robustseg.noise.label_maps import inject_labels, unfit
from robustseg.noise.legacy import Legacy
from robustseg.noise.manifest import COLUMNS, summary
from robustseg.noise.markov import Markov
from robustseg.noise.missed import Missed
from robustseg.noise.mixture import Mixture
from robustseg.noise.model import Corruption, Donors, NoiseModel
from robustseg.noise.morphological import Morphological
from robustseg.noise.swap import Swap

__all__ = [
    "COLUMNS",
    "Annotator",
    "Confuse",
    "Corruption",
    "Donors",
    "Elastic",
    "Legacy",
    "Markov",
    "Missed",
    "Mixture",
    "Morphological",
    "NoiseModel",
    "Swap",
    "inject",
    "inject_labels",
    "summary",
    "unfit",
]
