"""Data: sources of images and masks, their fingerprint, the cache, and checks.

The classes that a configuration names are imported on first use.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "sources.folder": ["Folder"],
        "sources.isic2017": ["Isic2017"],
        "sources.shenzhen": ["Shenzhen"],
        "synthetic": ["Synthetic"],
    },
)
