"""Decodes and resizes image files: bit for bit as Keras' `load_img` does, or as people see them.

Of images with 16-bit grey levels, which Keras leaves as they are or clips to 255 (white, mostly), the arrays hold the
whole range 0..65535 scaled to 0..255, after resizing. As people see them (`DecodeSpec.as_seen`: recipes, `predict`,
`evaluate`, `check`) means: turned as EXIF says, transparent parts on `BACKGROUND`, and large JPEGs decoded at a smaller
scale before they are resized; Keras does none of that.

PIL decodes. torchvision's `decode_jpeg` gives the same pixels in half the time, but torchvision has deprecated it
(0.29), and the cache decodes each photograph once.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scene_lightning._processors import usable_processors
from scene_lightning._registry import did_you_mean
from scene_lightning.data.color_modes import CHANNELS, check_color_mode
from scene_lightning.data.image_files import opened, upright
from scene_lightning.data.placement import FITS, placement, scale_on_decoding
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
# What PIL's readers raise of a damaged file: besides what they mean to, whatever their parsing meets.
UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, EOFError,
    RuntimeError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
# What shows through transparent pixels, as through the borders of fit "pad". Of cut-out photographs the model `scenes`
# names 81 % on black, 68 % on grey and 57 % on white (90 % whole).
BACKGROUND = (0, 0, 0)


@dataclass(frozen=True)
class DecodeSpec:
    """How files become pixels.

    Attributes:
        target_size: (height, width).
        color_mode: "rgb", "rgba" or "grayscale".
        interpolation: a name of `INTERPOLATIONS`.
        fit: how an image of other proportions becomes one of `target_size`: "stretch" resizes it whole; "crop" resizes
            its largest centred part of the target's proportions; "pad" resizes it whole and undistorted, with black
            borders.
        exif: turn photographs upright that are stored otherwise, as their EXIF orientation says.
        flatten: show `BACKGROUND` through transparent pixels (unless `color_mode` is "rgba"), not the colours that the
            file happens to have under them.
        scaled_decoding: decode a large JPEG at 1/8, 1/4 or 1/2 of its size (`scale_on_decoding`).
    """

    target_size: tuple[int, int]
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    fit: str = "stretch"
    exif: bool = False
    flatten: bool = False
    scaled_decoding: bool = False

    def __post_init__(self) -> None:
        check_color_mode(self.color_mode)
        check_interpolation(self.interpolation)
        if self.fit not in FITS:
            raise InputError(f"Unknown fit {self.fit!r}. Expected one of {', '.join(FITS)}.")

    @classmethod
    def as_seen(
        cls,
        target_size: tuple[int, int],
        color_mode: str,
        interpolation: str,
        fit: str = "stretch",
        scaled_decoding: bool = True,
    ) -> DecodeSpec:
        """Pictures as people see them: upright, on one background."""
        return cls(target_size, color_mode, interpolation, fit, True, True, scaled_decoding)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.target_size, CHANNELS[self.color_mode])


def check_interpolation(interpolation: str) -> None:
    """Raise InputError unless Keras knows `interpolation`.

    Args:
        interpolation: the name to check, one of `INTERPOLATIONS`.
    """
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
    exif: bool = False,
    scaled_decoding: bool = False,
) -> Image.Image:
    """Open an image file with PIL, in the colours and the size asked for. Source: keras.utils.load_img.

    Args:
        path: a path, pathlib.Path or io.BytesIO.
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width) in pixels; None for the file's own.
        interpolation: a name of `INTERPOLATIONS`.
        keep_aspect_ratio: resize the largest centred crop of the target's proportions, not the whole image.
        exif: whether to turn upright what is stored otherwise.
        scaled_decoding: whether to decode a large JPEG at a smaller scale, before it is resized.

    Raises:
        InputError: an unknown colour mode or interpolation.
        OSError, PIL.UnidentifiedImageError: as PIL raises them.
    """
    check_color_mode(color_mode)
    fit = "crop" if keep_aspect_ratio else "stretch"
    image = opened(path)
    if scaled_decoding and target_size is not None:
        scale_on_decoding(image, (int(target_size[1]), int(target_size[0])), fit, exif)
    image = _coloured(upright(image) if exif else image, color_mode)
    return image if target_size is None else _resized(image, target_size, interpolation, fit)


def open_scaled(
    path: Any, color_mode: str = "rgb", exif: bool = False, target: tuple[int, int] | None = None, fit: str = "stretch"
) -> Image.Image:
    """As `open_image` at the file's own size, but with 8 bits in any case: deep grey levels are scaled.

    Args:
        path: a path, pathlib.Path or io.BytesIO.
        color_mode: "rgb", "rgba" or "grayscale".
        exif: whether to turn upright what is stored otherwise.
        target: (width, height) that it will be resized to, for a large JPEG to be decoded at a smaller scale; None for
            the file's own size in any case.
        fit: how it will be resized, as in `DecodeSpec`.
    """
    image = opened(path)
    if target is not None:
        scale_on_decoding(image, target, fit, exif)
    image = upright(image) if exif else image
    return _coloured(eight_bits(image) if is_deep(image) else image, color_mode)


def open_as_seen(path: Any, side: int | None = None) -> Image.Image:
    """Open a picture as people see it: RGB, 8 bits, upright, on `BACKGROUND`.

    Args:
        path: a path, pathlib.Path or io.BytesIO.
        side: as for `as_seen`.
    """
    return as_seen(opened(path), side)


def as_seen(image: Image.Image, side: int | None = None) -> Image.Image:
    """A picture as people see it: RGB, 8 bits, upright, on `BACKGROUND`.

    Args:
        image: as PIL opened it.
        side: pixels of the longer side that it will be drawn with: a large JPEG is then decoded at a smaller scale.
            None for its own size.
    """
    if side is not None:
        scale_on_decoding(image, (side, side), "pad")
    image = upright(image)
    return _coloured(eight_bits(image) if is_deep(image) else _flattened(image), "rgb")


def _flattened(image: Image.Image) -> Image.Image:
    """Without transparency, of an alpha channel, a palette or a single colour: `BACKGROUND` shows through."""
    if not image.has_transparency_data:
        return image
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), over).convert("RGB")


def _coloured(image: Image.Image, color_mode: str) -> Image.Image:
    if color_mode == "grayscale":
        return image if image.mode in ("L", *_DEEP_MODES) else image.convert("L")
    return image if image.mode == color_mode.upper() else image.convert(color_mode.upper())


def _resized(image: Image.Image, target_size: tuple[int, int], interpolation: str, fit: str) -> Image.Image:
    size = (int(target_size[1]), int(target_size[0]))
    if image.size == size:
        return image
    check_interpolation(interpolation)
    part, place = placement(image.size, size, fit)
    if fit != "pad":
        return image.resize(size, INTERPOLATIONS[interpolation], box=part)
    # Resized first: the canvas of an image of 20,000 × 10 pixels in its own scale would take a gigabyte.
    canvas = Image.new(image.mode, size, (*BACKGROUND, 255) if image.mode == "RGBA" else 0)
    inner = place[2] - place[0], place[3] - place[1]
    canvas.paste(image.resize(inner, INTERPOLATIONS[interpolation]), place[:2])
    return canvas


def decode_image(path: str, spec: DecodeSpec) -> NDArray[np.uint8]:
    """Read one file as (H, W, C) uint8; grey levels of 16 bits are scaled (0 → 0, 65535 → 255, rounded).

    Args:
        path: the file.
        spec: the size, colours and interpolation asked for.

    Raises:
        DataError: the file is missing, truncated or not an image; its name is in the message.
    """
    try:
        return pixels_of(opened(path), spec)
    except FileNotFoundError:
        raise DataError(f"No image at {path!r}.") from None
    except UNREADABLE as error:
        raise DataError(f"Cannot read image {path!r}: {unreadable_reason(error)}") from error


def pixels_of(image: Image.Image, spec: DecodeSpec) -> NDArray[np.uint8]:
    """An image as (H, W, C) uint8; grey levels of 16 bits are scaled (0 → 0, 65535 → 255, rounded).

    Args:
        image: as PIL opened it. Raises what PIL raises where it is damaged.
        spec: the size, colours and interpolation asked for.
    """
    shaping = spec.target_size, spec.interpolation, spec.fit
    if spec.scaled_decoding:
        scale_on_decoding(image, spec.target_size[::-1], spec.fit, spec.exif)
    image = upright(image) if spec.exif else image
    if is_deep(image):
        image = _coloured(eight_bits(image, *shaping), spec.color_mode)
    else:
        image = _flattened(image) if spec.flatten and spec.color_mode != "rgba" else image
        image = _resized(_coloured(image, spec.color_mode), *shaping)
    return np.asarray(image, dtype=np.uint8).reshape(spec.shape)


def decode_for_graph(source: Any, spec: DecodeSpec) -> NDArray[np.uint8]:
    """Read one image as `decode_image` does but for the resize, which a graph does: (H, W, 3), or 4 for "rgba".

    Args:
        source: a path, an io.BytesIO, or an open PIL image, which is taken at its own size.
        spec: what the graph will do; of "grayscale" the three channels are alike.

    Raises:
        DataError: the file is missing, truncated or not an image; its name is in the message.
    """
    name = repr(os.fspath(source)) if isinstance(source, str | os.PathLike) else "the upload"
    try:
        image = source if isinstance(source, Image.Image) else opened(source)
        if spec.scaled_decoding and image is not source:
            scale_on_decoding(image, spec.target_size[::-1], spec.fit, spec.exif)
        image = upright(image)
        if is_deep(image):
            image = eight_bits(image)
        elif spec.color_mode != "rgba":
            image = _flattened(image)
        image = _coloured(image, spec.color_mode)
        image = image.convert("RGB") if spec.color_mode == "grayscale" else image
        return np.array(image, dtype=np.uint8)
    except FileNotFoundError:
        raise DataError(f"No image at {name}.") from None
    except UNREADABLE as error:
        raise DataError(f"Cannot read image {name}: {unreadable_reason(error)}") from error


def is_deep(image: Image.Image) -> bool:
    """Whether an image's grey levels have more than 8 bits: whole numbers, PIL's "I;16", "I;16B" or "I".

    Args:
        image: an open PIL image.
    """
    return image.mode.startswith("I")


def eight_bits(
    image: Image.Image, target_size: tuple[int, int] | None = None, interpolation: str = "nearest", fit: str = "stretch"
) -> Image.Image:
    """Scale a deep image from 0..65535 to 8-bit grey, 0..255; resized before, so that nothing is rounded twice.

    Args:
        image: one for which `is_deep` holds.
        target_size: (height, width) in pixels; None for the image's own.
        interpolation: a name of `INTERPOLATIONS`.
        fit: as in `DecodeSpec`.
    """
    grey = Image.fromarray(np.asarray(image, dtype=np.float32) * np.float32(255 / _DEEPEST))
    if target_size is not None:
        grey = _resized(grey, target_size, interpolation, fit)
    return Image.fromarray(np.asarray(grey).round().clip(0, 255).astype(np.uint8))


def unreadable_reason(error: BaseException) -> str:
    """Why an image cannot be read, as a sentence.

    Args:
        error: what PIL raised.
    """
    if isinstance(error, UnidentifiedImageError) and str(error).startswith("cannot identify"):
        return "it is not an image, or in a format that PIL does not know."
    return f"{error}." if str(error) else f"{type(error).__name__}."


def default_threads() -> int:
    """Decoding threads: one a core that this process may use, up to 16 (beyond, the interpreter lock decides)."""
    return min(16, usable_processors())


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be read as an image.

    Attributes:
        position: its place in the list that was read.
        path: the file.
        reason: why, as a sentence.
    """

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
        paths: N files.
        spec: how they become pixels.
        out: (N, H, W, C), filled in place.

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
