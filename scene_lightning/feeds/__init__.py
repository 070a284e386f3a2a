"""Gives batches: from arrays, images, loaders, generators and datasets to `fit`, `evaluate` and `predict`."""
