"""Keras' `keras.preprocessing`: images."""

from scene_lightning._unsupported import lookup
from scene_lightning.preprocessing import image

__all__ = ["image"]

# which reads images with this package
__getattr__ = lookup(__name__, __all__, {"image_dataset_from_directory": "scene_lightning.utils"})
