"""The names directly in `keras.preprocessing`."""

from scene_lightning.utils import image_dataset_from_directory

__all__ = ["image_dataset_from_directory"]
