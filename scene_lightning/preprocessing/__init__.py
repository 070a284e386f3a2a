"""Keras' `keras.preprocessing`: images."""

from scene_lightning.preprocessing import image

__all__ = ["image"]
