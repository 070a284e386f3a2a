"""The pictures of `scipy.misc`, which SciPy removed in 1.2, with Pillow, as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

_RESAMPLING = {name: Image.Resampling[name.upper()] for name in ("nearest", "lanczos", "bilinear", "bicubic")}
_RESAMPLING["cubic"] = Image.Resampling.BICUBIC


def fromimage(im: Image.Image, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """Read a picture's pixels; of a palette, its colours.

    Args:
        im: a Pillow image.
        flatten: whether to return grey levels as float32.
        mode: Pillow's name of the colours to convert to; None for the picture's own.
    """
    if mode is not None and mode != im.mode:
        im = im.convert(mode)
    elif mode is None and im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        im = im.convert("F")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im)


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """Read a file's pixels: uint8 (H, W), (H, W, 3) or (H, W, 4).

    Args:
        name: a path or an open file.
        flatten, mode: as for `fromimage`.
    """
    with Image.open(name) as image:
        return fromimage(image, flatten, mode)


def bytescale(
    data: Any, cmin: float | None = None, cmax: float | None = None, high: int = 255, low: int = 0
) -> np.ndarray:
    """Stretch values to uint8, so that the least becomes `low` and the greatest `high`; uint8 stays as it is.

    Args:
        data: an array of numbers.
        cmin: what counts as the least; None for the data's.
        cmax: what counts as the greatest; None for the data's.
        high, low: the ends of the result's range, 0..255.
    """
    array = np.asarray(data)
    if array.dtype == np.uint8:
        return array
    least = array.min() if cmin is None else cmin
    span = (array.max() if cmax is None else cmax) - least
    if span < 0:
        raise ValueError("`cmax` should be larger than `cmin`.")
    stretched = (array - least) * (float(high - low) / (span or 1)) + low
    return (stretched.clip(low, high) + 0.5).astype(np.uint8)


def toimage(
    arr: Any, high: int = 255, low: int = 0, cmin: float | None = None, cmax: float | None = None, pal: Any = None,
    mode: str | None = None, channel_axis: int | None = None,
) -> Image.Image:  # fmt: skip
    """Make a picture of an array, stretched by `bytescale`.

    Args:
        arr: (H, W), or with three or four channels on some axis.
        high, low, cmin, cmax: as for `bytescale`.
        pal: (256, 3) colours of a palette.
        mode: Pillow's name of the colours.
        channel_axis: where the channels are; None for the first axis of 3 or 4.
    """
    array = np.asarray(arr)
    if array.ndim == 2:
        if mode in ("F", "I"):
            return Image.fromarray(array.astype(np.float32 if mode == "F" else np.int32))
        image = Image.fromarray(bytescale(array, cmin, cmax, high, low))
        if pal is not None:
            image.putpalette(np.asarray(pal, np.uint8).tobytes())
        return image.convert(mode) if mode not in (None, "L", "P") else image
    channels = next((count for count in (3, 4) if count in array.shape), None)
    if array.ndim != 3 or channels is None:
        raise ValueError("'arr' does not have a suitable array shape for any mode.")
    axis = int(np.flatnonzero(np.asarray(array.shape) == channels)[0]) if channel_axis is None else channel_axis
    pixels = np.moveaxis(bytescale(array, cmin, cmax, high, low), axis, 2)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image if mode is None or mode == image.mode else image.convert(mode)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    """Write an array as a picture, stretched by `bytescale`.

    Args:
        name: a path or an open file.
        arr: (H, W) or (H, W, C).
        format: Pillow's name of the format; None for that of the ending.
    """
    array = np.asarray(arr)
    toimage(array, channel_axis=2 if array.ndim == 3 else None).save(name, format)


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> np.ndarray:
    """Resize an array as a picture.

    Args:
        arr: (H, W) or (H, W, C).
        size: (height, width), a whole number of per cent, or a factor.
        interp: "nearest", "lanczos", "bilinear", "bicubic" or "cubic".
        mode: as for `toimage`.
    """
    image = toimage(arr, mode=mode)
    if isinstance(size, int | float | np.number):
        factor = float(size) / 100.0 if isinstance(size, int | np.integer) else float(size)
        height, width = int(image.height * factor), int(image.width * factor)
    else:
        height, width = int(size[0]), int(size[1])  # a third one, the channels, may follow
    return fromimage(image.resize((width, height), _RESAMPLING[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> np.ndarray:
    """Turn the picture against the clock, within its own frame.

    Args:
        arr: (H, W) or (H, W, C).
        angle: in degrees.
        interp: as for `imresize`.
    """
    return fromimage(toimage(arr).rotate(angle, _RESAMPLING[interp]))


def imshow(arr: Any) -> None:
    """Show the picture in the viewer of the machine.

    Args:
        arr: (H, W) or (H, W, C).
    """
    toimage(arr).show()


__all__ = ["bytescale", "fromimage", "imread", "imresize", "imrotate", "imsave", "imshow", "toimage"]
