"""Keras' `keras.preprocessing`: images."""

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.preprocessing import image

__all__ = ["image"]

# which reads images with this package
explain_missing_names(__name__, __all__, {"image_dataset_from_directory": "scene_lightning.utils"})
