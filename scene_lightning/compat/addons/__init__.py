"""TensorFlow Addons' optimizers, losses, metrics, layers and callbacks on images, for programs of the runner."""
