"""What drives a model: devices, the Lightning Trainer behind `fit`, `evaluate` and `predict`, steps, resuming."""
