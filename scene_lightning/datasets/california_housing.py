"""Prices of houses in California, `keras.datasets.california_housing`: no images, and named so when used."""

from scene_lightning.datasets._absent import not_images

load_data = not_images("california_housing", "load_data", "prices of houses")

__all__ = ["load_data"]
