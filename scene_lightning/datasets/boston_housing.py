"""Prices of houses in Boston, `keras.datasets.boston_housing`: no images, and named so when used."""

from scene_lightning._unsupported import absent

load_data = absent("keras.datasets.boston_housing.load_data")

__all__ = ["load_data"]
