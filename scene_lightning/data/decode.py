"""Decodes and resizes image files, bit for bit as Keras' `load_img` does.

One difference: of images with 16-bit grey levels, which Keras leaves as they are or clips to 255 (white, mostly), the
arrays hold the whole range 0..65535 scaled to 0..255, after resizing.

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

from scene_lightning._registry import did_you_mean
from scene_lightning.data.color_modes import CHANNELS, check_color_mode
from scene_lightning.errors import DataError, InputError

INTERPOLATIONS: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}
# 16-bit and 32-bit grey images keep their values in Keras; they do not fit uint8.
_DEEP_MODES = ("I;16", "I")
_DEEPEST = 65535  # PIL's "I" comes from 16-bit files too (PGM); a 32-bit TIFF with larger values is clipped there
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
    image = _coloured(_opened(path), color_mode)
    return image if target_size is None else _resized(image, target_size, interpolation, keep_aspect_ratio)


def _opened(path: Any) -> Image.Image:
    if isinstance(path, io.BytesIO):
        return Image.open(path)
    if isinstance(path, pathlib.Path | bytes | str):
        with open(path, "rb") as file:
            return Image.open(io.BytesIO(file.read()))
    raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")


def _coloured(image: Image.Image, color_mode: str) -> Image.Image:
    if color_mode == "grayscale":
        return image if image.mode in ("L", *_DEEP_MODES) else image.convert("L")
    return image if image.mode == color_mode.upper() else image.convert(color_mode.upper())


def _resized(
    image: Image.Image, target_size: tuple[int, int], interpolation: str, keep_aspect_ratio: bool
) -> Image.Image:
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


def open_scaled(path: Any, color_mode: str = "rgb") -> Image.Image:
    """As `open_image` at the file's own size, but with 8 bits in any case: deep grey levels are scaled."""
    image = _opened(path)
    return _coloured(eight_bits(image) if is_deep(image) else image, color_mode)


def decode_image(path: str, spec: DecodeSpec) -> NDArray[np.uint8]:
    """One file → (H, W, C) uint8; grey levels of 16 bits are scaled (0 → 0, 65535 → 255, rounded).

    Raises:
        DataError: the file is missing, truncated or not an image; its name is in the message.
    """
    try:
        image, shaping = _opened(path), (spec.target_size, spec.interpolation, spec.keep_aspect_ratio)
        if is_deep(image):
            image = _coloured(eight_bits(image, *shaping), spec.color_mode)
        else:
            image = _resized(_coloured(image, spec.color_mode), *shaping)
        return np.asarray(image, dtype=np.uint8).reshape(spec.shape)
    except FileNotFoundError:
        raise DataError(f"No image at {path!r}.") from None
    except _UNREADABLE as error:
        raise DataError(f"Cannot read image {path!r}: {_reason(error)}") from error


def is_deep(image: Image.Image) -> bool:
    """Whether its grey levels have more than 8 bits: whole numbers, PIL's "I;16", "I;16B" or "I"."""
    return image.mode.startswith("I")


def eight_bits(
    image: Image.Image,
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image.Image:
    """A deep image → 8-bit grey, 0..65535 scaled to 0..255; resized before, so that nothing is rounded twice."""
    grey = Image.fromarray(np.asarray(image, dtype=np.float32) * np.float32(255 / _DEEPEST))
    if target_size is not None:
        grey = _resized(grey, target_size, interpolation, keep_aspect_ratio)
    return Image.fromarray(np.asarray(grey).round().clip(0, 255).astype(np.uint8))


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
