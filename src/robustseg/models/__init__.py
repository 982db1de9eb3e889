"""Networks: image (B, C, H, W) in, foreground logits (B, 1, H, W) out."""
