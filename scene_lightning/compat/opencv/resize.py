"""`cv2.resize` with OpenCV's own sampling: pixels are areas, and only INTER_AREA averages over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning.errors import UnsupportedError

INTER_NEAREST, INTER_LINEAR, INTER_CUBIC, INTER_AREA, INTER_LANCZOS4 = 0, 1, 2, 3, 4
_WEIGHT = 2048  # OpenCV's weights for 8-bit images are whole numbers of eleven bits


class error(Exception):
    """What OpenCV raises: `cv2.error`."""


def resize(
    src: Any, dsize: Any = None, dst: Any = None, fx: float = 0, fy: float = 0, interpolation: int = INTER_LINEAR
) -> np.ndarray:
    """Resize the image to `dsize`, or by `fx` and `fy`, in its own type.

    Args:
        src: (H, W) or (H, W, C).
        dsize: (width, height) in pixels; None for the factors' size.
        dst: ignored.
        fx: the factor of the width, where `dsize` is None.
        fy: the factor of the height.
        interpolation: an INTER_ constant.

    Raises:
        error: no image, or no size, as OpenCV raises it.
        UnsupportedError: Lanczos interpolation, which needs OpenCV.
    """
    image = None if src is None else np.asarray(src)
    if image is None or not image.size:
        raise error("(-215:Assertion failed) !ssize.empty() in function 'resize'")
    height, width = image.shape[:2]
    given = None if dsize is None or tuple(dsize) == (0, 0) else dsize
    if given is None:
        if not (fx > 0 and fy > 0):
            raise error("(-215:Assertion failed) inv_scale_x > 0 in function 'resize'")
        dsize = (round(width * fx), round(height * fy))
    if len(dsize) != 2 or any(not isinstance(side, int | np.integer) or side <= 0 for side in dsize):
        raise error(f"(-5:Bad argument) Can't parse 'dsize': expected two whole numbers above 0, received {dsize!r}.")
    size = int(dsize[1]), int(dsize[0])
    scales = (1 / fy, 1 / fx) if fx > 0 and fy > 0 and given is None else (height / size[0], width / size[1])
    planes = image.reshape(height, width, -1)
    made = planes if size == (height, width) else _sampled(planes, size, scales, interpolation)
    return np.ascontiguousarray(made[..., 0] if planes.shape[2] == 1 else made)


def _sampled(image: np.ndarray, size: tuple[int, int], scales: tuple[float, float], interpolation: int) -> np.ndarray:
    sides = tuple(zip(image.shape, size, scales, strict=False))
    if interpolation == INTER_NEAREST:
        rows, columns = (np.minimum((np.arange(now) * scale).astype(int), was - 1) for was, now, scale in sides)
        return image[rows][:, columns]
    if interpolation == INTER_LINEAR and image.dtype == np.uint8:
        return _linear_8_bit(image, [_neighbours(*side) for side in sides])
    if interpolation not in _SHARES:
        raise UnsupportedError(
            f"cv2.resize(interpolation={interpolation}) needs OpenCV, which is not installed: pip install "
            "opencv-python-headless. Without it the runner has INTER_NEAREST, INTER_LINEAR, INTER_CUBIC and INTER_AREA."
        )
    enlarging = interpolation == INTER_AREA and min(scales) < 1
    rows, columns = (_area_enlarging(*side) if enlarging else _SHARES[interpolation](*side) for side in sides)
    values = np.einsum("ih,hwc,jw->ijc", rows, image.astype(np.float64), columns, optimize=True)
    if image.dtype.kind not in "iu":
        return values.astype(image.dtype)
    limits = np.iinfo(image.dtype)
    halves = interpolation == INTER_AREA and scales == (2, 2)  # the mean of four pixels is rounded up
    rounded = np.floor(values + 0.5) if halves else np.rint(values)
    return np.clip(rounded, limits.min, limits.max).astype(image.dtype)


def _area(was: int, now: int, scale: float) -> np.ndarray:
    """(now, was): how much of each old pixel a new one covers; each row sums to 1."""
    low = np.minimum(np.arange(now) * scale, was - 1)[:, None]
    high = np.minimum((np.arange(now) + 1) * scale, was)[:, None]
    shares = np.clip(np.minimum(high, np.arange(1, was + 1)) - np.maximum(low, np.arange(was)), 0, None)
    return shares / shares.sum(1, keepdims=True)


def _area_enlarging(was: int, now: int, scale: float) -> np.ndarray:
    """(now, was): as `_area`, but of two pixels alone, as OpenCV takes them when a side grows."""
    first = np.floor(np.arange(now) * scale).astype(int)
    share = np.arange(1, now + 1) - (first + 1) / scale
    share = np.where((share <= 0) | (first >= was - 1), 0, share - np.floor(share))
    shares = np.zeros((now, was))
    np.add.at(shares, (np.arange(now), np.minimum(first, was - 1)), 1 - share)
    np.add.at(shares, (np.arange(now), np.minimum(first + 1, was - 1)), share)
    return shares


def _linear(was: int, now: int, scale: float) -> np.ndarray:
    """(now, was): the shares of the two pixels whose centres are nearest."""
    first, second, share = _neighbours(was, now, scale)
    shares = np.zeros((now, was))
    np.add.at(shares, (np.arange(now), first), 1 - share)
    np.add.at(shares, (np.arange(now), second), share)
    return shares


def _cubic(was: int, now: int, scale: float) -> np.ndarray:
    """(now, was): the shares of four pixels by a cubic of slope -0.75; the border pixel stands for those beyond."""
    place = (np.arange(now) + 0.5) * scale - 0.5
    shares = np.zeros((now, was))
    for step in (-1, 0, 1, 2):
        pixel = np.floor(place).astype(int) + step
        away = np.abs(place - pixel)
        near = (1.25 * away - 2.25) * away**2 + 1
        far = ((-0.75 * away + 3.75) * away - 6) * away + 3
        np.add.at(shares, (np.arange(now), np.clip(pixel, 0, was - 1)), np.where(away <= 1, near, far))
    return shares


_SHARES = {INTER_AREA: _area, INTER_CUBIC: _cubic, INTER_LINEAR: _linear}


def _linear_8_bit(image: np.ndarray, sides: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """OpenCV's own arithmetic in whole numbers (`resize.cpp`: HResizeLinear, VResizeLinear)."""
    (top, below, share_y), (left, right, share_x) = sides
    (weight_top, weight_below), (weight_left, weight_right) = _whole(share_y), _whole(share_x)
    levels = image.astype(np.int32)
    across = levels[:, left] * weight_left[:, None] + levels[:, right] * weight_right[:, None]
    upper = (weight_top[:, None, None] * (across[top] >> 4)) >> 16
    lower = (weight_below[:, None, None] * (across[below] >> 4)) >> 16
    return ((upper + lower + 2) >> 2).astype(np.uint8)


def _whole(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.rint((1 - share) * _WEIGHT).astype(np.int32), np.rint(share * _WEIGHT).astype(np.int32)


def _neighbours(was: int, now: int, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel: the two old ones between whose centres it lies, and the share of the second."""
    place = ((np.arange(now) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(place).astype(int)
    share = np.where((first < 0) | (first >= was - 1), np.float32(0), place - first).astype(np.float32)
    first = np.clip(first, 0, was - 1)
    return first, np.minimum(first + 1, was - 1), share
