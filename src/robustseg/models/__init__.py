"""Networks: image (B, C, H, W) in, foreground logits (B, 1, H, W) out."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"plain_unet": ["PlainUNet"]})
