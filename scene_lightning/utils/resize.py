"""Resizes images as `tf.image.resize` does, pixel for pixel, for every method that it has."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
_RADII = {"bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5, "gaussian": 1.5, "mitchellcubic": 2}
_STEPS = 1024  # TensorFlow's bicubic looks its weights up in a table of so many steps between two pixels


def resize_image(
    image: torch.Tensor, size: tuple[int, int], interpolation: str = "bilinear", antialias: bool = False
) -> torch.Tensor:
    """Resizes images to float32 `(…, *size, channels)`; pixel centres lie at half integers. Source: tf.image.resize.

    Args:
        image: `(…, height, width, channels)`.
        size: (height, width) in pixels.
        interpolation: a name of `INTERPOLATIONS`.
        antialias: widen the kernel when the image shrinks; "nearest" and "area" have no kernel to widen.
    """
    pixels = image.to(torch.float32)
    sides = tuple(image.shape[-3:-1])
    if sides == tuple(size) and interpolation not in ("gaussian", "mitchellcubic"):  # those two blur at any size
        return pixels
    shrinks = antialias and (size[0] < sides[0] or size[1] < sides[1])
    if interpolation == "nearest" or (interpolation == "bilinear" and not shrinks):
        planes = (pixels if pixels.ndim == 4 else pixels.unsqueeze(0)).permute(0, 3, 1, 2)
        if interpolation == "bilinear":
            planes = F.interpolate(planes, size=size, mode="bilinear", align_corners=False)
        else:
            planes = F.interpolate(planes, size=size, mode="nearest-exact")
        made = planes.permute(0, 2, 3, 1).contiguous()
        return made if pixels.ndim == 4 else made[0]
    rows, columns = (_weights(side, wanted, interpolation, antialias) for side, wanted in zip(sides, size, strict=True))
    return weighted(pixels, rows, columns)


def weighted(image: torch.Tensor, rows: Any, columns: Any) -> torch.Tensor:
    """Resamples images with one matrix for the rows and one for the columns, to float32.

    Args:
        image: `(…, height, width, channels)`.
        rows: `(new height, height)`: how much each input row gives to each output row.
        columns: `(new width, width)`, likewise.
    """
    down, across = (torch.as_tensor(each, dtype=torch.float32, device=image.device) for each in (rows, columns))
    return torch.einsum("hi,wj,...ijc->...hwc", down, across, image.to(torch.float32))


def crop_to_aspect(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Crops the largest centred part with the proportions of `size`. Source: Keras' smart_resize.

    Args:
        image: `(height, width, channels)`.
        size: the (height, width) whose proportions count.
    """
    height, width = image.shape[:2]
    crop_height = min(height, int(float(width * size[0]) / size[1]))
    crop_width = min(width, int(float(height * size[1]) / size[0]))
    top, left = int(float(height - crop_height) / 2), int(float(width - crop_width) / 2)
    return image[top : top + crop_height, left : left + crop_width]


def resize_with_pad(image: torch.Tensor, size: tuple[int, int], interpolation: str) -> torch.Tensor:
    """Resizes an image to fit into `size`, on a black ground.

    Args:
        image: `(height, width, channels)`.
        size: (height, width) in pixels of the result.
        interpolation: a name of `INTERPOLATIONS`.
    """
    height, width = image.shape[:2]
    ratio = max(width / size[1], height / size[0])
    inner = tuple(max(1, math.floor(side / ratio + 1e-6)) for side in (height, width))
    resized = resize_image(image, (inner[0], inner[1]), interpolation)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = torch.zeros(*size, image.shape[2])
    canvas[top : top + inner[0], left : left + inner[1]] = resized
    return canvas


@functools.lru_cache(64)
def _weights(length: int, target: int, interpolation: str, antialias: bool = False) -> torch.Tensor:
    """(target, length): how much of each input pixel goes into each output pixel; rows sum to 1."""
    if interpolation == "area":
        weights = overlaps(length, target, length / target)
    elif interpolation == "bicubic" and not antialias:
        scale = np.float32(length / target)
        weights = np.zeros((target, length))
        for pixel, share in cubic_steps(scale * (np.arange(target, dtype=np.float32) + 0.5) - 0.5, -0.5):
            inside = (pixel >= 0) & (pixel < length)
            weights[np.flatnonzero(inside), pixel[inside].astype(int)] = share[inside]
    else:
        one, half = np.float32(1), np.float32(0.5)  # 32 bits decide, as in TensorFlow, which pixels are just within
        scale = one / (np.float32(target) / np.float32(length))
        centre = (np.arange(target, dtype=np.float32)[:, None] + half) * scale
        distance = np.abs(np.arange(length, dtype=np.float32)[None, :] + half - centre)
        weights = _kernel(interpolation, distance * (one / max(scale, one)) if antialias else distance)
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def overlaps(length: int, target: int, scale: float) -> np.ndarray:
    """Makes a matrix `(target, length)` of the share of each output pixel that an input pixel covers.

    Args:
        length: number of input pixels.
        target: number of output pixels.
        scale: how many input pixels wide an output pixel is.
    """
    start = np.arange(target)[:, None] * scale
    pixel = np.arange(length)[None, :]
    inner = np.clip(np.minimum(start + scale, pixel + 1) - np.maximum(start, pixel), 0, None)
    return inner / inner.sum(1, keepdims=True)


def cubic_steps(places: np.ndarray, a: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gives, for places between pixels, the four (pixel, weight) pairs of Keys' cubic kernel.

    Args:
        places: where to interpolate, in input pixels.
        a: the kernel's parameter: -0.5 is Keys' own choice and TensorFlow's, -0.75 that of PyTorch and OpenCV.
    """
    first = np.floor(places)
    share = np.rint((places - first) * _STEPS) / _STEPS
    return [(first + step, _keys(np.abs(share - step), a)) for step in (-1, 0, 1, 2)]


def _keys(x: np.ndarray, a: float) -> np.ndarray:
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _kernel(name: str, distance: np.ndarray) -> np.ndarray:
    radius = _RADII[name]
    if name == "bilinear":
        values = 1 - distance
    elif name.startswith("lanczos"):
        values = np.sinc(distance) * np.sinc(distance / radius)
    elif name == "gaussian":
        values = np.exp(-(distance**2) / (2 * 0.5**2))
    elif name == "mitchellcubic":
        values = _cubic(distance, 1 / 3, 1 / 3)
    else:
        values = _keys(distance, -0.5)  # TensorFlow's "bicubic", where PyTorch has a = −0.75
    return np.where(distance < radius, values, 0.0)


def _cubic(x: np.ndarray, b: float, c: float) -> np.ndarray:
    """Mitchell and Netravali's family of cubics."""
    near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
    far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
