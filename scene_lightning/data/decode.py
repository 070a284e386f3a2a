"""Image files in; PIL images, or uint8 (N, H, W, C) arrays at one size, out: bit for bit what Keras' `load_img` gives.

PIL decodes. torchvision's `decode_jpeg` gives the same pixels in half the time, but torchvision has deprecated it
(0.29), and the cache decodes each photograph once.
"""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scene_lightning._identifiers import did_you_mean
from scene_lightning.errors import DataError, InputError

INTERPOLATIONS: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}
CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
# 16-bit and 32-bit grey images keep their values in Keras; they do not fit uint8.
_DEEP_MODES = ("I;16", "I")
_UNREADABLE = (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class DecodeSpec:
    """How files become pixels.

    Attributes:
        target_size: (height, width).
        color_mode: "rgb", "rgba" or "grayscale".
        interpolation: a name of `INTERPOLATIONS`.
        keep_aspect_ratio: resize the largest centred crop of the target's proportions, not the whole image.
    """

    target_size: tuple[int, int]
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    keep_aspect_ratio: bool = False

    def __post_init__(self) -> None:
        check_color_mode(self.color_mode)
        check_interpolation(self.interpolation)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.target_size, CHANNELS[self.color_mode])


def check_color_mode(color_mode: str) -> None:
    """Raise InputError unless Keras knows `color_mode`."""
    if color_mode not in CHANNELS:
        raise InputError(
            f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".'
            f"{did_you_mean(str(color_mode), CHANNELS)}"
        )


def check_interpolation(interpolation: str) -> None:
    """Raise InputError unless Keras knows `interpolation`."""
    if interpolation not in INTERPOLATIONS:
        raise InputError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(INTERPOLATIONS)}.{did_you_mean(str(interpolation), INTERPOLATIONS)}"
        )


def open_image(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image.Image:
    """A path, pathlib.Path or io.BytesIO → a PIL image. Source: keras.utils.load_img.

    Raises:
        InputError: an unknown colour mode or interpolation.
        OSError, PIL.UnidentifiedImageError: as PIL raises them.
    """
    check_color_mode(color_mode)
    if isinstance(path, io.BytesIO):
        image: Image.Image = Image.open(path)
    elif isinstance(path, pathlib.Path | bytes | str):
        with open(path, "rb") as file:
            image = Image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")
    if color_mode == "grayscale":
        image = image if image.mode in ("L", *_DEEP_MODES) else image.convert("L")
    elif image.mode != color_mode.upper():
        image = image.convert(color_mode.upper())
    if target_size is None:
        return image
    size = (int(target_size[1]), int(target_size[0]))
    if image.size == size:
        return image
    check_interpolation(interpolation)
    box = _centre_box(image.size, size) if keep_aspect_ratio else None
    return image.resize(size, INTERPOLATIONS[interpolation], box=box)


def _centre_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred (left, top, right, bottom) of `size` with the proportions of `target`; both (W, H)."""
    width, height = size
    crop_height = min(height, (width * target[1]) // target[0])
    crop_width = min(width, (height * target[0]) // target[1])
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def decode_image(path: str, spec: DecodeSpec) -> NDArray[np.uint8]:
    """One file → (H, W, C) uint8.

    Raises:
        DataError: the file is missing, truncated or not an image; its name is in the message.
    """
    try:
        image = open_image(path, spec.color_mode, spec.target_size, spec.interpolation, spec.keep_aspect_ratio)
        if image.mode in _DEEP_MODES:
            # As float the values may pass 255; Keras' own uint8 path would wrap them. Clipping keeps the picture.
            return np.asarray(image).clip(0, 255).astype(np.uint8)[:, :, None]
        return np.asarray(image, dtype=np.uint8).reshape(spec.shape)
    except FileNotFoundError:
        raise DataError(f"No image at {path!r}.") from None
    except _UNREADABLE as error:
        raise DataError(f"Cannot read image {path!r}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image, or in a format that PIL does not know."
    return f"{error}." if str(error) else f"{type(error).__name__}."


def default_threads() -> int:
    """Decoding threads: one a core that this process may use, up to 16 (beyond, the interpreter lock decides)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


@dataclass(frozen=True)
class Unreadable:
    """A file that is no image: its position in the list that was read, its path, and why."""

    position: int
    path: str
    reason: str


def decode_many(
    paths: Sequence[str],
    spec: DecodeSpec,
    out: NDArray[np.uint8],
    pool: ThreadPoolExecutor | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Unreadable]:
    """Decode `paths` into `out` (N, H, W, C), in parallel.

    Args:
        pool: threads to use; None makes its own.
        progress: called with 1 after each image.

    Returns:
        The files that could not be read; their rows of `out` are undefined.
    """

    def decode(position: int) -> Unreadable | None:
        try:
            out[position] = decode_image(paths[position], spec)
        except DataError as error:
            return Unreadable(position, paths[position], str(error))
        return None

    own = pool or ThreadPoolExecutor(default_threads())
    unreadable = []
    try:
        for result in own.map(decode, range(len(paths))):
            if result is not None:
                unreadable.append(result)
            if progress is not None:
                progress(1)
    finally:
        if pool is None:
            own.shutdown(cancel_futures=True)
    return unreadable
