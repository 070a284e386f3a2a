"""Prices of houses in Boston, `keras.datasets.boston_housing`: no images, and named so when used."""

from scene_lightning.datasets._absent import not_images

load_data = not_images("boston_housing", "load_data", "prices of houses")

__all__ = ["load_data"]
