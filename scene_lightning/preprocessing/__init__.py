"""Keras' `keras.preprocessing`: images."""

from scene_lightning._unsupported import lookup
from scene_lightning.preprocessing import image

__all__ = ["image"]

__getattr__ = lookup(
    __name__,
    __all__,
    {
        "This package classifies images: prepare sequences and text with torch or scikit-learn": (
            "sequence text text_dataset_from_directory timeseries_dataset_from_array"
        ),
    },
    {"image_dataset_from_directory": "scene_lightning.utils"},  # which reads images with this package
)
