"""`tfa.image`: rotates, translates and erases parts of images (H, W, C) or (N, H, W, C)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from scene_lightning.compat.tensorflow.images.arguments import batched
from scene_lightning.compat.tensorflow.ops.operation import as_tensor


def _changed(images: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """`change` of the images as floats (batch, channels, height, width), brought back to their dtype and axes."""
    given = as_tensor(images)
    made = change(batched(given).float().permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return (made if given.is_floating_point() else made.round()).to(given.dtype).reshape(given.shape)


def _warp(images: Any, matrices: torch.Tensor, interpolation: str, fill_mode: str) -> torch.Tensor:
    """`matrices` (N or 1, 2, 3) take pixels of the result to pixels of the image, in TensorFlow's x, y."""
    height, width = as_tensor(images).shape[-3:-1]
    rows, columns = (torch.arange(side, dtype=torch.float32) for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1)
    sources = torch.einsum("nij,hwj->nhwi", matrices, places)
    grid = (sources * 2 + 1) / torch.tensor([width, height]) - 1
    how = {"nearest": "nearest", "bilinear": "bilinear"}[interpolation.lower()]
    edge = {"constant": "zeros", "nearest": "border", "reflect": "reflection", "wrap": "zeros"}[fill_mode.lower()]
    return _changed(images, lambda batch: F.grid_sample(batch, grid.expand(len(batch), -1, -1, -1), how, edge, False))


def rotate(
    images: Any, angles: Any, interpolation: str = "nearest", fill_mode: str = "constant", name: Any = None,
    fill_value: float = 0.0,
) -> torch.Tensor:  # fmt: skip
    """Turns images about their middle.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        angles: radians, counter-clockwise; one, or one for each image.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant" (zeros), "nearest" or "reflect".
        name, fill_value: for Addons' sake, without effect.
    """
    height, width = as_tensor(images).shape[-3:-1]
    turns = as_tensor(angles).float().reshape(-1)
    cos, sin = torch.cos(turns), torch.sin(turns)
    x, y = (width - 1) / 2, (height - 1) / 2
    rows = [cos, -sin, x - (cos * x - sin * y), sin, cos, y - (sin * x + cos * y)]
    return _warp(images, torch.stack(rows, -1).reshape(-1, 2, 3), interpolation, fill_mode)


def translate(
    images: Any, translations: Any, interpolation: str = "nearest", fill_mode: str = "constant", name: Any = None,
    fill_value: float = 0.0,
) -> torch.Tensor:  # fmt: skip
    """Moves images.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        translations: (dx, dy) in pixels; one pair, or one for each image.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant" (zeros), "nearest" or "reflect".
        name, fill_value: for Addons' sake, without effect.
    """
    moves = as_tensor(translations).float().reshape(-1, 2)
    matrices = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).repeat(len(moves), 1, 1)
    matrices[:, :, 2] = -moves
    return _warp(images, matrices, interpolation, fill_mode)


def cutout(images: Any, mask_size: Any, offset: Any = (0, 0), constant_values: float = 0, **_: Any) -> torch.Tensor:
    """Fills a rectangle of each image.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        mask_size: (height, width) in pixels, or one side.
        offset: its middle (y, x) in pixels; one, or one for each image.
        constant_values: what it is filled with.
        **_: for Addons' sake, without effect.
    """
    made = as_tensor(images).clone()
    batch = batched(made)
    height, width = (int(side) for side in np.broadcast_to(np.asarray(mask_size), (2,)))
    centres = np.broadcast_to(np.asarray(offset), (len(batch), 2))
    for image, (row, column) in zip(batch, centres, strict=True):
        top, left = max(int(row) - height // 2, 0), max(int(column) - width // 2, 0)
        image[top : int(row) + height // 2, left : int(column) + width // 2] = constant_values
    return made


def random_cutout(images: Any, mask_size: Any, constant_values: float = 0, seed: Any = None, **_: Any) -> torch.Tensor:
    """Fills a rectangle of each image, in a place that is drawn.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        mask_size: (height, width) in pixels, or one side.
        constant_values: what it is filled with.
        seed, **_: for Addons' sake, without effect.
    """
    given = as_tensor(images)
    count = len(given) if given.ndim == 4 else 1
    height, width = given.shape[-3:-1]
    drawn = np.stack([torch.randint(0, side, (count,)).numpy() for side in (height, width)], -1)
    return cutout(given, mask_size, drawn, constant_values)


def gaussian_filter2d(
    image: Any, filter_shape: Any = (3, 3), sigma: Any = 1.0, padding: str = "REFLECT", **_: Any
) -> torch.Tensor:
    """Blurs images with a Gaussian.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        filter_shape: (height, width) in pixels where it is cut off, or one side.
        sigma: its deviation in pixels, (down, across) or one.
        padding: what lies outside: "REFLECT", "CONSTANT" (zeros) or "SYMMETRIC".
        **_: for Addons' sake, without effect.
    """
    sides = np.broadcast_to(np.asarray(filter_shape), (2,))
    widths = np.broadcast_to(np.asarray(sigma, dtype=float), (2,))
    mode = {"REFLECT": "reflect", "CONSTANT": "constant", "SYMMETRIC": "replicate"}[padding.upper()]
    before = [(int(side) - 1) // 2 for side in sides]
    after = [int(side) - 1 - first for side, first in zip(sides, before, strict=True)]

    def blur(batch: torch.Tensor) -> torch.Tensor:
        channels = batch.shape[1]
        batch = F.pad(batch, (before[1], after[1], before[0], after[0]), mode)
        for side, width, shape in zip(sides, widths, ((1, 1, -1, 1), (1, 1, 1, -1)), strict=True):
            places = torch.arange(int(side), dtype=torch.float32) - int(side) // 2
            weights = torch.softmax(-(places**2) / (2 * max(width, 1e-6) ** 2), 0)
            batch = F.conv2d(batch, weights.reshape(shape).repeat(channels, 1, 1, 1), groups=channels)
        return batch

    return _changed(image, blur)
