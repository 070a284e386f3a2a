"""What every function of `tf.image` asks of its arguments: 3 or 4 axes, and numbers within their range."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.errors import InputError


def picture(images: Any, name: str = "image") -> torch.Tensor:
    """`images` as a tensor (H, W, C) or (N, H, W, C). Raises InputError for any other number of axes."""
    tensor = as_tensor(images)
    if tensor.ndim not in (3, 4):
        raise InputError(f"'{name}' must have either 3 or 4 dimensions; received the shape {tuple(tensor.shape)}.")
    return tensor


def batched(images: torch.Tensor) -> torch.Tensor:
    """(H, W, C) or (N, H, W, C) → (N, H, W, C)."""
    return images if images.ndim == 4 else images.unsqueeze(0)


def require(holds: bool, message: str) -> None:
    """Raise InputError with `message` unless `holds`."""
    if not holds:
        raise InputError(message)


def pair(size: Any, name: str = "size") -> tuple[int, int]:
    """(height, width) as Python's integers."""
    sides = as_tensor(size)
    require(tuple(sides.shape) == (2,), f"'{name}' must be a 1-D Tensor of 2 elements: height, width; received {size}.")
    return int(sides[0]), int(sides[1])
