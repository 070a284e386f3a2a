"""Changes single images: rotation, shift, shear, zoom, flip, brightness and channel shift, as Keras' functions do.

They share geometry and sampling with the batched augmentation (data/augment.py) and draw from NumPy's global
generator, as Keras does. Source: keras.src.legacy.preprocessing.image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning.data.augment import AffineParams, apply_affine
from scene_lightning.data.color_changes import change_brightness
from scene_lightning.errors import InputError

Array = NDArray[Any]


def apply_affine_transform(
    x: Array,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
    *,
    variant: str = "keras>=2.9",
) -> Array:
    """Rotate, shift, shear and zoom an image about its centre.

    Args:
        x: one image of rank 3.
        theta: rotation in degrees.
        tx: shift along the rows, in pixels.
        ty: shift along the columns, in pixels.
        shear: shear angle in degrees.
        zx: zoom along the rows, as a factor; below 1 enlarges.
        zy: zoom along the columns.
        row_axis: which axis of `x` holds the rows.
        col_axis: which holds the columns.
        channel_axis: which holds the channels: 0 or 2.
        fill_mode: what lies beyond the borders: "nearest", "constant", "reflect" or "wrap".
        cval: the value there, for "constant".
        order: of the spline that pixels are read with: 0 nearest, 1 linear, ….
        variant: "keras>=2.9" or "keras<=2.8", whose geometry differs. Not in Keras.

    Returns:
        The changed image, of the same shape and dtype.

    Raises:
        InputError: axes that are not 0, 1 and 2 with the channels first or last, or another rank.
    """
    axes = [row_axis, col_axis, channel_axis]
    if len(set(axes)) != 3:
        raise InputError("'row_axis', 'col_axis', and 'channel_axis' must be distinct")
    if set(axes) != {0, 1, 2}:
        raise InputError(f"Invalid axis' indices: {set(axes) - {0, 1, 2}}")
    if x.ndim != 3:
        raise InputError(f"Input arrays must be multi-channel 2D images. Received an array of shape {x.shape}.")
    if channel_axis not in (0, 2):
        raise InputError("Channels are allowed and the first and last dimensions.")
    params = AffineParams.of([{"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy}])
    if not params.moves().any():
        return x
    to_planes = (channel_axis, row_axis, col_axis)
    working = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    planes = np.ascontiguousarray(x.transpose(to_planes), dtype=working)
    moved = apply_affine(
        torch.from_numpy(planes)[None], params, fill_mode, cval, variant, order=order, channels_last=False, exact=True
    )[0].numpy()
    if np.issubdtype(x.dtype, np.integer):
        moved = np.rint(moved)
    return moved.transpose(np.argsort(to_planes)).astype(x.dtype, copy=False)


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """Add grey levels to an image, and clip to the image's own minimum and maximum.

    Args:
        x: an image of rank 3.
        intensity: how many grey levels, positive or negative.
        channel_axis: without effect: all channels get the same shift, as in Keras.

    Returns:
        The changed image.
    """
    return np.clip(x + intensity, np.min(x), np.max(x)).astype(x.dtype, copy=False)


def apply_brightness_shift(x: Array, brightness: float, scale: bool = True) -> Array:
    """Multiply an image's brightness.

    Args:
        x: an image `(height, width, channels)`.
        brightness: the factor: 1 leaves it, 0 gives black.
        scale: stretch the values to 0..255 before (default, as in Keras); False takes them as they are.

    Returns:
        A float32 image in whole grey levels 0..255.
    """
    image = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).permute(2, 0, 1)[None]
    factor = torch.tensor(float(brightness), dtype=torch.float32)
    return change_brightness(image, factor, stretch=scale)[0].permute(1, 2, 0).contiguous().numpy()


def flip_axis(x: Array, axis: int) -> Array:
    """Mirror an image along one axis.

    Args:
        x: an array.
        axis: the axis that is turned round.

    Returns:
        The mirrored array.
    """
    return np.flip(np.asarray(x), axis)


def random_rotation(
    x: Array,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """Rotate an image by a random angle.

    Args:
        x: one image of rank 3.
        rg: up to so many degrees either way.
        row_axis, col_axis, channel_axis: which axes of `x` hold rows, columns and channels.
        fill_mode: what lies beyond the borders: "nearest", "constant", "reflect" or "wrap".
        cval: the value there, for "constant".
        interpolation_order: of the spline that pixels are read with.

    Returns:
        The changed image.
    """
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(
        x, theta, 0, 0, 0, 1, 1, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order
    )


def random_shift(
    x: Array,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """Shift an image by a random distance.

    Args:
        x: one image of rank 3.
        wrg: up to such a share of the width either way.
        hrg: up to such a share of the height either way.
        row_axis, col_axis, channel_axis: which axes of `x` hold rows, columns and channels.
        fill_mode: what lies beyond the borders: "nearest", "constant", "reflect" or "wrap".
        cval: the value there, for "constant".
        interpolation_order: of the spline that pixels are read with.

    Returns:
        The changed image.
    """
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return apply_affine_transform(
        x, 0, tx, ty, 0, 1, 1, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order
    )


def random_shear(
    x: Array,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """Shear an image by a random angle.

    Args:
        x: one image of rank 3.
        intensity: up to so many degrees either way.
        row_axis, col_axis, channel_axis: which axes of `x` hold rows, columns and channels.
        fill_mode: what lies beyond the borders: "nearest", "constant", "reflect" or "wrap".
        cval: the value there, for "constant".
        interpolation_order: of the spline that pixels are read with.

    Returns:
        The changed image.
    """
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(
        x, 0, 0, 0, shear, 1, 1, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order
    )


def random_zoom(
    x: Array,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """Zoom an image by random factors, drawn for each axis.

    Args:
        x: one image of rank 3.
        zoom_range: (lowest, highest) factor; below 1 enlarges.
        row_axis, col_axis, channel_axis: which axes of `x` hold rows, columns and channels.
        fill_mode: what lies beyond the borders: "nearest", "constant", "reflect" or "wrap".
        cval: the value there, for "constant".
        interpolation_order: of the spline that pixels are read with.

    Returns:
        The changed image.

    Raises:
        InputError: a range of other than two numbers.
    """
    if len(zoom_range) != 2:
        raise InputError(f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return apply_affine_transform(
        x, 0, 0, 0, 0, zx, zy, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order
    )


def random_channel_shift(x: Array, intensity_range: float, channel_axis: int = 0) -> Array:
    """Add a random number of grey levels to an image.

    Args:
        x: an image of rank 3.
        intensity_range: up to so many grey levels either way.
        channel_axis: without effect, as in Keras.

    Returns:
        The changed image.
    """
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def random_brightness(x: Array, brightness_range: Sequence[float], scale: bool = True) -> Array:
    """Multiply an image's brightness by a random factor.

    Args:
        x: an image `(height, width, channels)`.
        brightness_range: (lowest, highest) factor.
        scale: stretch the values to 0..255 before (default).

    Returns:
        A float32 image in whole grey levels 0..255.

    Raises:
        InputError: a range of other than two numbers.
    """
    if len(brightness_range) != 2:
        raise InputError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]), scale)
