"""`tf.io`: files and encoded images. TensorFlow: `tf.io`."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from scene_lightning.compat.stand_in.text import as_text
from scene_lightning.data.decode import eight_bits, is_deep
from scene_lightning.errors import DataError, InputError

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_file(filename: Any, name: Any = None) -> bytes:
    """A file's bytes."""
    with open(as_text(filename), "rb") as file:
        return file.read()


def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Write bytes, making folders as needed."""
    path = as_text(filename)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(f"{path}.part", "wb") as file:
        file.write(contents.encode() if isinstance(contents, str) else contents)
    os.replace(f"{path}.part", path)


def decode_image(
    contents: Any,
    channels: Any = 0,
    dtype: Any = torch.uint8,
    expand_animations: bool = True,
    name: Any = None,
    **_: Any,
) -> torch.Tensor:
    """The bytes of a picture → uint8 (H, W, channels); 0 channels keeps the file's own number.

    A float `dtype` gives values in 0..1. Raises DataError when the bytes are no picture.
    """
    if channels not in (0, 1, 3, 4, None):
        raise InputError(f"channels must be 0, 1, 3 or 4; received {channels!r}.")
    if not isinstance(contents, bytes):
        raise InputError(f"Expected a file's bytes, as tf.io.read_file gives them; received {type(contents).__name__}.")
    try:
        with Image.open(io.BytesIO(contents)) as picture:
            mode = _MODES.get(channels or 0) or (picture.mode if picture.mode in _MODES.values() else "RGB")
            pixels = np.array((eight_bits(picture) if is_deep(picture) else picture).convert(mode))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"Unknown image file format. One of JPEG, PNG, GIF, BMP required. ({error})") from error
    image = torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None])
    return image / 255 if isinstance(dtype, torch.dtype) and dtype.is_floating_point else image


decode_jpeg = decode_png = decode_bmp = decode_gif = decode_image


def _encode(image: Any, format: str, **options: Any) -> bytes:
    pixels = np.asarray(image).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format, **options)
    return buffer.getvalue()


def encode_jpeg(image: Any, format: str = "", quality: int = 95, **_: Any) -> bytes:
    """uint8 (H, W, C) → the bytes of a JPEG file."""
    return _encode(image, "JPEG", quality=quality)


def encode_png(image: Any, compression: int = -1, name: Any = None) -> bytes:
    """uint8 (H, W, C) → the bytes of a PNG file."""
    return _encode(image, "PNG")


__all__ = [
    "decode_bmp", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "read_file",
    "write_file",
]  # fmt: skip
