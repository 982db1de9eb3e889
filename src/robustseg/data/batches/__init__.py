"""Training batches: order, augmentation, and the device they are made on."""
