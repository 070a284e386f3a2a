"""TensorFlow Addons' optimizers, losses, metrics, layers and callbacks on images, for programs of the runner."""

from __future__ import annotations

__version__ = "0.23.0"  # the last there was

__all__ = ["__version__"]
