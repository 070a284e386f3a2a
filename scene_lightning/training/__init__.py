"""What drives a model: devices, feeds, the Lightning trainer behind Keras' verbs, and the loss it minimises."""
