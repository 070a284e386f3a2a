"""Draws the parameters of a random transform as Keras does, and applies them to one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.preprocessing._normalise import Normaliser
from scene_lightning.preprocessing._transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
)

Array = NDArray[Any]
_IDENTITY = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}


class RandomTransform(Normaliser):
    """The part of ImageDataGenerator that changes where pixels are and how bright; `ImageDataGenerator` sets it."""

    rotation_range: float
    width_shift_range: Any
    height_shift_range: Any
    brightness_range: Any
    shear_range: float
    zoom_range: list[float]
    channel_shift_range: float
    fill_mode: str
    cval: float
    horizontal_flip: bool
    vertical_flip: bool
    interpolation_order: int
    affine_variant: str

    def ranges(self) -> AugmentRanges:
        """The ranges that batches on the device draw their augmentation from."""
        return AugmentRanges(
            rotation_range=self.rotation_range,
            width_shift_range=self.width_shift_range,
            height_shift_range=self.height_shift_range,
            shear_range=self.shear_range,
            zoom_range=(self.zoom_range[0], self.zoom_range[1]),
            channel_shift_range=self.channel_shift_range,
            brightness_range=None if self.brightness_range is None else tuple(self.brightness_range),
            horizontal_flip=bool(self.horizontal_flip),
            vertical_flip=bool(self.vertical_flip),
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
            variant=self.affine_variant,
        )

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Draw the parameters of one image's random transform, in Keras' order, from NumPy's global generator.

        Args:
            img_shape: the image's shape `(height, width, channels)`, in this generator's data_format.
            seed: reseeds NumPy's global generator first; None goes on where it stands.

        Returns:
            A dict: theta and shear (degrees), tx and ty (pixels down and to the right), zx and zy (factors),
            flip_horizontal, flip_vertical, channel_shift_intensity (grey levels) and brightness (a factor).
        """
        if seed is not None:
            np.random.seed(seed)
        uniform = np.random.uniform
        shift, (low, high) = self.channel_shift_range, self.zoom_range
        # From top to bottom, in Keras' order of draws; for the flips a number is drawn whatever the switches say.
        transform = {
            "theta": uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0,
            "tx": _draw_shift(self.height_shift_range, img_shape[self.row_axis - 1]),
            "ty": _draw_shift(self.width_shift_range, img_shape[self.col_axis - 1]),
            "shear": uniform(-self.shear_range, self.shear_range) if self.shear_range else 0,
        }
        transform["zx"], transform["zy"] = (1, 1) if low == 1 and high == 1 else uniform(low, high, 2)
        return transform | {
            "flip_horizontal": (np.random.random() < 0.5) * self.horizontal_flip,
            "flip_vertical": (np.random.random() < 0.5) * self.vertical_flip,
            "channel_shift_intensity": uniform(-shift, shift) if shift else None,
            "brightness": None if self.brightness_range is None else uniform(*self.brightness_range),
        }

    def apply_transform(self, x: Array, transform_parameters: dict[str, Any]) -> Array:
        """Apply the parameters of `get_random_transform` to one image.

        Args:
            x: an image `(height, width, channels)`.
            transform_parameters: the dict; what it leaves out is not changed.

        Returns:
            The changed image, of the same shape.
        """
        row, col, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        get = transform_parameters.get
        x = apply_affine_transform(
            x,
            **{name: get(name, default) for name, default in _IDENTITY.items()},
            row_axis=row,
            col_axis=col,
            channel_axis=channel,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
            variant=self.affine_variant,
        )
        if get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, transform_parameters["channel_shift_intensity"], channel)
        if get("flip_horizontal", False):
            x = flip_axis(x, col)
        if get("flip_vertical", False):
            x = flip_axis(x, row)
        if get("brightness") is not None:
            last = x if channel == 2 else np.moveaxis(x, 0, 2)
            last = apply_brightness_shift(last, transform_parameters["brightness"], self.affine_variant == "keras<=2.8")
            x = last if channel == 2 else np.moveaxis(last, 2, 0)
        return x

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """Change one image by parameters that are drawn at random.

        Args:
            x: an image `(height, width, channels)`.
            seed: reseeds NumPy's global generator first; None goes on where it stands.

        Returns:
            The changed image, of the same shape.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))


def _draw_shift(limit: Any, size: int) -> Any:
    """Keras' shift along one axis, in pixels: an int or a list holds choices, a float is a range."""
    if not (len(limit) if np.ndim(limit) else limit):
        return 0
    try:
        shift = np.random.choice(limit)
        shift *= np.random.choice([-1, 1])
    except ValueError:  # NumPy's answer to a float
        shift = np.random.uniform(-limit, limit)
    return shift * size if np.max(limit) < 1 else shift
