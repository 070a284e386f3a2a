"""What drives a model: devices, feeds, the Lightning Trainer behind `fit`, `evaluate` and `predict`, and the loss it minimises."""
