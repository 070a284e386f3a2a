"""Reads, writes and resizes single images: PIL images, arrays and files.

Source: keras.utils.load_img, img_to_array, array_to_img, save_img and keras.preprocessing.image.smart_resize.
"""

from __future__ import annotations

import pathlib
import warnings
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from scene_lightning._atomic_write import atomic_write
from scene_lightning._settings import floatx, image_data_format
from scene_lightning.data.decode import open_image
from scene_lightning.errors import InputError, UnsupportedError


def check_data_format(data_format: str | None) -> str:
    """`data_format`, or the global one for None; InputError for anything but Keras' two.

    Args:
        data_format: "channels_last", "channels_first" or None.
    """
    chosen = data_format or image_data_format()
    if chosen not in ("channels_last", "channels_first"):
        raise InputError(
            '`data_format` should be `"channels_last"` (channel after row and column) or `"channels_first"` '
            f"(channel before row and column). Received: {data_format}"
        )
    return chosen


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    grayscale: bool = False,
    exif: bool = False,
    scaled_decoding: bool = False,
) -> Image.Image:
    """Read an image file as a PIL image.

    Args:
        path: a path, or an `io.BytesIO` with the file's bytes.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        target_size: (height, width) in pixels to resize to; None keeps the file's own size.
        interpolation: "nearest" (default), "bilinear", "bicubic", "lanczos", "box" or "hamming".
        keep_aspect_ratio: crop the centre to the target's proportions before resizing, so that nothing is distorted.
        grayscale: Keras 2's old spelling of `color_mode="grayscale"`, with a warning.
        exif: turn a photograph upright that is stored otherwise, as its EXIF orientation says. Keras has no such
            argument and never does; nor does this by default.
        scaled_decoding: decode a JPEG of several times `target_size` at 1/8, 1/4 or 1/2 of its size, and resize that:
            it is faster. Not Keras'.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        FileNotFoundError: no such file.
        PIL.UnidentifiedImageError: not an image.
        InputError: an unknown color_mode or interpolation.

    Example:
        image = keras.utils.load_img("seg_train/forest/8.jpg", target_size=(150, 150))
        keras.utils.img_to_array(image).shape  # (150, 150, 3)
    """
    if grayscale:
        warnings.warn('grayscale is deprecated. Please use color_mode = "grayscale"', stacklevel=2)
        color_mode = "grayscale"
    return open_image(path, color_mode, target_size, interpolation, keep_aspect_ratio, exif, scaled_decoding)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> NDArray[Any]:
    """Convert a PIL image to a NumPy array.

    Args:
        img: a PIL image, or an array of rank 2 or 3.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        dtype: of the array; None takes `keras.config.floatx()`, which is float32.

    Returns:
        An array `(height, width, channels)`, or `(channels, height, width)` for "channels_first". Values stay 0..255.

    Raises:
        InputError: an array of another rank, or an unknown data_format.
    """
    data_format = check_data_format(data_format)
    x = np.array(img, dtype=dtype or floatx())
    if x.ndim == 2:
        return x[None] if data_format == "channels_first" else x[:, :, None]
    if x.ndim == 3:
        return x.transpose(2, 0, 1) if data_format == "channels_first" else x
    raise InputError(f"Unsupported image shape: {x.shape}. Expected 2 or 3 dimensions.")


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Image.Image:
    """Convert an array to a PIL image.

    Args:
        x: an array `(height, width, channels)` with 1, 3 or 4 channels.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        scale: stretch the values to 0..255 first (default). False takes them as grey levels already.
        dtype: to compute in; None takes `keras.config.floatx()`.

    Returns:
        A `PIL.Image.Image` in mode "L" ("I" where grey levels pass 255), "RGB" or "RGBA".

    Raises:
        InputError: not three dimensions, or not 1, 3 or 4 channels.
    """
    data_format = check_data_format(data_format)
    x = np.asarray(x, dtype=dtype or floatx())
    if x.ndim != 3:
        raise InputError(f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}")
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - np.min(x)
        highest = np.max(x)
        if highest != 0:
            x = x / highest
        x = x * 255
    channels = x.shape[2]
    if channels in (3, 4):
        return Image.fromarray(x.astype("uint8"))
    if channels == 1:
        deep = np.max(x) > 255  # a grey image of 32 bits
        return Image.fromarray(x[:, :, 0].astype("int32" if deep else "uint8"))
    raise InputError(f"Unsupported channel number: {channels}. Expected 1, 3 or 4.")


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Write an array as an image file.

    Args:
        path: where to write: a path, or an open binary file. A path has its file only once it is complete.
        x: an array `(height, width, channels)`.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        file_format: such as "png" or "jpeg"; None takes the path's ending, and must be given for a file object.
        scale: stretch the values to 0..255 first (default).
        **kwargs: passed on to `PIL.Image.Image.save`, such as `quality=90`.

    Raises:
        InputError: an array that is no image.
    """
    if file_format is None and isinstance(path, str | pathlib.Path):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("The JPEG format does not support RGBA images, converting to RGB.", stacklevel=2)
        image = image.convert("RGB")
    if not isinstance(path, str | pathlib.Path):
        image.save(path, format=file_format or None, **kwargs)
        return
    with atomic_write(path) as partial:
        image.save(partial, format=file_format or None, **kwargs)


_TORCH_MODES = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}


def smart_resize(
    x: Any, size: tuple[int, int], interpolation: str = "bilinear", data_format: str = "channels_last"
) -> Any:
    """Resize images without distortion: the largest centred crop with the target's proportions, resized.

    Args:
        x: an array or tensor `(height, width, channels)` or `(batch, height, width, channels)`.
        size: (height, width) in pixels.
        interpolation: "bilinear" (default), "nearest" or "bicubic", without antialiasing.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        What `x` was, in float32: an array for an array, a tensor for a tensor.

    Raises:
        InputError: another rank, or a size of other than two numbers.
        UnsupportedError: another interpolation.
    """
    if len(size) != 2:
        raise InputError(f"Expected `size` to be a tuple of 2 integers, but got: {size}.")
    if interpolation not in _TORCH_MODES:
        raise UnsupportedError(
            f"smart_resize with interpolation={interpolation!r} is not supported. Use one of {', '.join(_TORCH_MODES)}."
        )
    image = torch.as_tensor(x)
    if image.ndim not in (3, 4):
        raise InputError(
            "Expected an image array with shape `(height, width, channels)`, or `(batch_size, height, width, "
            f"channels)`, but got input with incorrect rank, of shape {tuple(image.shape)}."
        )
    batch = image if image.ndim == 4 else image[None]
    planes = batch.permute(0, 3, 1, 2) if data_format == "channels_last" else batch
    height, width = planes.shape[-2:]
    crop_height = max(min(height, int(float(width * size[0]) / size[1])), 1)
    crop_width = max(min(width, int(float(height * size[1]) / size[0])), 1)
    top, left = int(float(height - crop_height) / 2), int(float(width - crop_width) / 2)
    crop = planes[:, :, top : top + crop_height, left : left + crop_width].float()
    corners = {} if interpolation == "nearest" else {"align_corners": False}
    resized = F.interpolate(crop, size=tuple(size), mode=_TORCH_MODES[interpolation], **corners)
    result = resized.permute(0, 2, 3, 1) if data_format == "channels_last" else resized
    result = result if image.ndim == 4 else result[0]
    return result if isinstance(x, torch.Tensor) else result.contiguous().numpy()
