"""An image and a size in; the image at that size, as `tf.image.resize` without antialiasing gives it, out."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def resize_image(image: torch.Tensor, size: tuple[int, int], interpolation: str = "bilinear") -> torch.Tensor:
    """(H, W, C) → (*size, C) float32. Pixel centres lie at half integers. Source: tf.image.resize, antialias=False."""
    pixels = image.to(torch.float32)
    if tuple(image.shape[:2]) == tuple(size):
        return pixels
    if interpolation in ("bilinear", "nearest"):
        planes = pixels.permute(2, 0, 1)[None]
        if interpolation == "bilinear":
            planes = F.interpolate(planes, size=size, mode="bilinear", align_corners=False)
        else:
            planes = F.interpolate(planes, size=size, mode="nearest-exact")
        return planes[0].permute(1, 2, 0).contiguous()
    rows = _weights(image.shape[0], size[0], interpolation)
    columns = _weights(image.shape[1], size[1], interpolation)
    return torch.einsum("hi,wj,ijc->hwc", rows, columns, pixels)


def crop_to_aspect(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The largest centred part of (H, W, C) with the proportions of `size`. Source: Keras' smart_resize."""
    height, width = image.shape[:2]
    crop_height = min(height, int(float(width * size[0]) / size[1]))
    crop_width = min(width, int(float(height * size[1]) / size[0]))
    top, left = int(float(height - crop_height) / 2), int(float(width - crop_width) / 2)
    return image[top : top + crop_height, left : left + crop_width]


def resize_with_pad(image: torch.Tensor, size: tuple[int, int], interpolation: str) -> torch.Tensor:
    """(H, W, C) resized to fit in `size`, on a black ground. Source: tf.image.resize_with_pad."""
    height, width = image.shape[:2]
    ratio = max(width / size[1], height / size[0])
    inner = tuple(max(1, math.floor(side / ratio + 1e-6)) for side in (height, width))
    resized = resize_image(image, (inner[0], inner[1]), interpolation)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = torch.zeros(*size, image.shape[2])
    canvas[top : top + inner[0], left : left + inner[1]] = resized
    return canvas


@functools.lru_cache(64)
def _weights(length: int, target: int, interpolation: str) -> torch.Tensor:
    """(target, length): how much of each input pixel goes into each output pixel; rows sum to 1."""
    scale = length / target
    if interpolation == "area":
        start = np.arange(target)[:, None] * scale
        pixel = np.arange(length)[None, :]
        overlap = np.minimum(start + scale, pixel + 1) - np.maximum(start, pixel)
        weights = np.clip(overlap, 0, None)
    else:
        centre = (np.arange(target)[:, None] + 0.5) * scale
        weights = _kernel(interpolation, np.abs(np.arange(length)[None, :] + 0.5 - centre))
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def _kernel(name: str, distance: np.ndarray) -> np.ndarray:
    if name.startswith("lanczos"):
        radius = int(name[-1])
        return np.where(distance < radius, np.sinc(distance) * np.sinc(distance / radius), 0.0)
    if name == "gaussian":
        return np.where(distance < 1.5, np.exp(-(distance**2) / (2 * 0.5**2)), 0.0)
    if name == "mitchellcubic":
        return _cubic(distance, 1 / 3, 1 / 3)
    return _cubic(distance, 0.0, 0.5)  # Keys' cubic: TensorFlow's "bicubic", where PyTorch has a = −0.75


def _cubic(x: np.ndarray, b: float, c: float) -> np.ndarray:
    """Mitchell and Netravali's family of cubics."""
    near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
    far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
