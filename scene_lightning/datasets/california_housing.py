"""Prices of houses in California, `keras.datasets.california_housing`: no images, and named so when used."""

from scene_lightning._unsupported import absent

load_data = absent("keras.datasets.california_housing.load_data")

__all__ = ["load_data"]
