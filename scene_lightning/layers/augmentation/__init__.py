"""Layers that change images at random while training. Keras: "Image augmentation layers"."""

from scene_lightning.layers.augmentation import affine, colour, geometry
from scene_lightning.layers.augmentation.affine import *
from scene_lightning.layers.augmentation.colour import *
from scene_lightning.layers.augmentation.geometry import *

__all__ = [*affine.__all__, *colour.__all__, *geometry.__all__]
