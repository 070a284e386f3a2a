"""Decodes and encodes picture files as `tf.io.decode_*` and `encode_*` do, by PIL."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageSequence

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.images.arguments import require
from scene_lightning.compat.tensorflow.images.colour import convert_image_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.data.decode import UNREADABLE
from scene_lightning.errors import DataError, InputError, SceneLightningError, UnsupportedError
from scene_lightning.utils.text import Bytes

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG_GREY = (9797, 19234, 3737)  # libpng's 15-bit shares of red, green and blue; it cuts off what is left


def _bytes(contents: Any) -> bytes:
    value = contents.item() if isinstance(contents, np.ndarray | np.generic) and np.ndim(contents) == 0 else contents
    if isinstance(value, str):  # text that holds bytes, as tf.constant gives them
        value = value.encode("latin-1")
    if not isinstance(value, bytes):
        raise InputError(f"Expected a file's bytes, as tf.io.read_file gives them; received {type(contents).__name__}.")
    require(len(value) > 0, "Input is empty.")
    return value


def _channels(picture: Image.Image, channels: int) -> str:
    """PIL's mode for so many channels; 0 keeps the file's own."""
    if channels:
        return _MODES[channels]
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture.mode
    if picture.mode in ("1",) or picture.mode.startswith("I"):
        return "L"
    return "RGBA" if "transparency" in picture.info and picture.format == "PNG" else "RGB"


def _pixels(picture: Image.Image, channels: int, deep: bool) -> np.ndarray:
    """(H, W, C) uint8, or uint16 with the file's 16 bits when `deep`."""
    mode = _channels(picture, channels)
    if picture.mode.startswith("I"):  # 16 bits of grey
        grey = np.asarray(picture).astype(np.uint16)
        whole = grey if deep else (grey >> 8).astype(np.uint8)
        opaque = np.full_like(whole, np.iinfo(whole.dtype).max)
        planes = [whole] * (1 if mode[0] == "L" else 3) + [opaque] * (mode[-1] == "A")
        return np.stack(planes, -1)
    if picture.format == "PNG" and mode == "L" and picture.mode not in ("L", "LA", "1"):
        colours = np.asarray(picture.convert("RGB")).astype(np.int64)
        return (colours @ np.array(_PNG_GREY) >> 15).astype(np.uint8)[..., None]
    pixels = np.array(picture.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _brought_to(pixels: np.ndarray, is_png: bool, dtype: Any) -> torch.Tensor:
    kind = as_dtype(dtype)
    made = torch.from_numpy(pixels)
    if kind in (made.dtype, None):
        return made
    if made.dtype == torch.uint8 and is_png and kind == torch.uint16:
        return torch.from_numpy(pixels.astype(np.uint16) * 257)
    return convert_image_dtype(made, kind)


def _decoded(
    contents: Any, channels: Any, dtype: Any = torch.uint8, ratio: int = 1, animated: str = "refused"
) -> torch.Tensor:
    """`animated`: "refused", or "all" frames as (frames, H, W, 3), or only the "first"."""
    data, count = _bytes(contents), int(channels or 0)
    require(count in (0, 1, 3, 4), f"channels must be 0, 1, 3 or 4; received {channels!r}.")
    deep = as_dtype(dtype) == torch.uint16
    try:
        with Image.open(io.BytesIO(data)) as picture:
            is_png = picture.format == "PNG"
            if deep and is_png and len(data) > 25 and data[24] == 16 and data[25] != 0:
                raise UnsupportedError("PNG files with 16 bits a colour are read with 8: leave dtype=tf.uint16 out.")
            if picture.format == "GIF":
                return _brought_to(_frames(picture, count, animated), False, dtype)
            if ratio > 1:
                picture.draft(None, (-(-picture.width // ratio), -(-picture.height // ratio)))
            return _brought_to(_pixels(picture, count, deep), is_png, dtype)
    except SceneLightningError:
        raise
    except UNREADABLE as error:
        raise DataError(f"Unknown image file format. One of JPEG, PNG, GIF, BMP required. ({error})") from error


def _frames(picture: Image.Image, channels: int, animated: str) -> np.ndarray:
    require(channels in (0, 3), "channels must be 0 or 3 for a GIF.")
    count = getattr(picture, "n_frames", 1)
    require(
        animated != "refused" or count == 1,
        f"Got {count} frames, but animated gifs can only be decoded by tf.io.decode_gif or tf.io.decode_image",
    )
    frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]
    return np.stack(frames) if animated == "all" else frames[0]


def decode_image(
    contents: Any, channels: Any = 0, dtype: Any = torch.uint8, name: Any = None, expand_animations: bool = True
) -> torch.Tensor:
    """Decodes a picture to (height, width, channels); an animated GIF to (frames, height, width, 3).

    Args:
        channels: 0 keeps the file's own number.
        dtype: uint8, uint16, or floats in 0..1.
        contents: the file's bytes, as `tf.io.read_file` gives them.
        expand_animations: whether a GIF gives all frames; otherwise the first one.
        name: for TensorFlow's sake, without effect.

    Raises:
        DataError: the bytes are no picture.
    """
    return _decoded(contents, channels, dtype, animated="all" if expand_animations else "first")


def decode_jpeg(
    contents: Any, channels: Any = 0, ratio: int = 1, fancy_upscaling: bool = True, try_recover_truncated: bool = False,
    acceptable_fraction: float = 1, dct_method: str = "", name: Any = None,
) -> torch.Tensor:  # fmt: skip
    """Decodes a picture to uint8 (height, width, channels).

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        channels: 1 or 3; 0 keeps the file's own number.
        ratio: what the sides are divided by while decoding: 1, 2, 4 or 8.
        fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method, name: for TensorFlow's sake,
            without effect.

    Raises:
        DataError: the bytes are no picture.
    """
    require(ratio in (1, 2, 4, 8), f"ratio must be 1, 2, 4, or 8, got {ratio}")
    return _decoded(contents, channels, ratio=int(ratio))


def decode_png(contents: Any, channels: Any = 0, dtype: Any = torch.uint8, name: Any = None) -> torch.Tensor:
    """Decodes a picture to (height, width, channels). Raises DataError when the bytes are no picture.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        channels: 1, 3 or 4; 0 keeps the file's own number.
        dtype: uint8 or uint16.
        name: for TensorFlow's sake, without effect.
    """
    require(as_dtype(dtype) in (torch.uint8, torch.uint16), f"dtype must be uint8 or uint16; received {dtype}.")
    return _decoded(contents, channels, dtype)


def decode_bmp(contents: Any, channels: Any = 0, name: Any = None) -> torch.Tensor:
    """Decodes a picture to uint8 (height, width, channels). Raises DataError when the bytes are no picture.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        channels: 1, 3 or 4; 0 keeps the file's own number.
        name: for TensorFlow's sake, without effect.
    """
    return _decoded(contents, channels)


decode_webp = decode_bmp


def decode_gif(contents: Any, name: Any = None) -> torch.Tensor:
    """Decodes a GIF to uint8 (frames, height, width, 3). Raises DataError when the bytes are no picture.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        name: for TensorFlow's sake, without effect.
    """
    made = _decoded(contents, 3, animated="all")
    return made if made.ndim == 4 else made.unsqueeze(0)


def decode_and_crop_jpeg(contents: Any, crop_window: Any, channels: Any = 0, ratio: int = 1, **_: Any) -> torch.Tensor:
    """Decodes a part of a picture.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        crop_window: (top, left, height, width) in pixels.
        channels: 1 or 3; 0 keeps the file's own number.
        ratio: what the sides are divided by before the part is cut: 1, 2, 4 or 8.
        **_: for TensorFlow's sake, without effect.
    """
    top, left, height, width = (int(n) for n in as_tensor(crop_window))
    made = decode_jpeg(contents, channels, ratio)
    inside = 0 <= top <= top + height <= made.shape[0] and 0 <= left <= left + width <= made.shape[1]
    require(inside and height > 0 and width > 0, f"Invalid crop window {crop_window} of {tuple(made.shape)}.")
    return made[top : top + height, left : left + width]


def is_jpeg(contents: Any, name: Any = None) -> torch.Tensor:
    """Whether the bytes begin as a JPEG does.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        name: for TensorFlow's sake, without effect.
    """
    return torch.tensor(_bytes(contents)[:3] == b"\xff\xd8\xff")


def extract_jpeg_shape(contents: Any, output_type: Any = torch.int32, name: Any = None) -> torch.Tensor:
    """Gives (height, width, channels) of a JPEG, without decoding it.

    Args:
        contents: the file's bytes, as `tf.io.read_file` gives them.
        output_type: integer dtype of the result.
        name: for TensorFlow's sake, without effect.
    """
    try:
        with Image.open(io.BytesIO(_bytes(contents))) as picture:
            return torch.tensor([picture.height, picture.width, len(picture.getbands())], dtype=as_dtype(output_type))
    except UNREADABLE as error:
        raise DataError(f"Invalid JPEG data. ({error})") from error


def _encode(image: Any, format: str, allowed: tuple[int, ...], **options: Any) -> Bytes:
    pixels = np.asarray(as_tensor(image))
    require(
        pixels.ndim == 3 and pixels.shape[-1] in allowed,
        f"Expected an image (H, W, C) with C one of {allowed}; received the shape {pixels.shape}.",
    )
    if pixels.dtype == np.uint16 and pixels.shape[-1] > 1:
        raise UnsupportedError("Colours of 16 bits cannot be encoded. Use tf.image.convert_image_dtype first.")
    fits = pixels.dtype == np.uint8 or (format == "PNG" and pixels.dtype == np.uint16)
    require(fits, f"Expected uint8; received {pixels.dtype}. Use tf.cast(image, tf.uint8).")
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format, **options)
    return Bytes(buffer.getvalue())


def encode_jpeg(
    image: Any, format: str = "", quality: int = 95, progressive: bool = False, optimize_size: bool = False,
    chroma_downsampling: bool = True, **_: Any,
) -> Bytes:  # fmt: skip
    """Encodes an image as the bytes of a JPEG file.

    Args:
        image: uint8 (height, width, 1 or 3).
        quality: 0 to 100.
        progressive: whether a viewer can show it coarsely before it is all there.
        optimize_size: whether to spend time on a smaller file.
        chroma_downsampling: whether colours have half the resolution (4:2:0).
        format, **_: for TensorFlow's sake, without effect.
    """
    subsampling = "4:2:0" if chroma_downsampling else "4:4:4"
    options = {"quality": int(quality), "progressive": progressive, "optimize": optimize_size}
    return _encode(image, "JPEG", (1, 3), subsampling=subsampling, **options)


def encode_png(image: Any, compression: int = -1, name: Any = None) -> Bytes:
    """Encodes an image as the bytes of a PNG file.

    Args:
        image: uint8 (height, width, 1 to 4), or uint16 (height, width, 1).
        compression: zlib's level, 0 to 9; -1 for its default.
        name: for TensorFlow's sake, without effect.
    """
    return _encode(image, "PNG", (1, 2, 3, 4), **({} if compression < 0 else {"compress_level": int(compression)}))


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, dct_method: str = "", name: Any = None) -> Any:
    """Shows an image as a JPEG file of this quality would.

    Args:
        image: (height, width, channels).
        jpeg_quality: 0 to 100.
        dct_method, name: for TensorFlow's sake, without effect.
    """
    tensor = as_tensor(image)
    pixels = convert_image_dtype(tensor, torch.uint8, saturate=True)
    decoded = decode_jpeg(encode_jpeg(pixels, quality=int(jpeg_quality)), pixels.shape[-1])
    return convert_image_dtype(decoded, tensor.dtype, saturate=True)
