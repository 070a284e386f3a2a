"""What every function of `tf.image` asks of its arguments: 3 or 4 axes, and numbers within their range."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.errors import InputError


def picture(images: Any, name: str = "image") -> torch.Tensor:
    """Gives images as a tensor of 3 or 4 axes. Raises InputError for any other number of axes.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        name: what the message calls them.
    """
    tensor = as_tensor(images)
    if tensor.ndim not in (3, 4):
        raise InputError(f"'{name}' must have either 3 or 4 dimensions; received the shape {tuple(tensor.shape)}.")
    return tensor


def batched(images: torch.Tensor) -> torch.Tensor:
    """Gives images with a batch axis: (height, width, channels) becomes (1, height, width, channels).

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
    """
    return images if images.ndim == 4 else images.unsqueeze(0)


def require(holds: bool, message: str) -> None:
    """Raises InputError with `message` unless `holds`.

    Args:
        holds: the condition.
        message: what was expected, what came, and the cure.
    """
    if not holds:
        raise InputError(message)


def pair(size: Any, name: str = "size") -> tuple[int, int]:
    """Gives (height, width) as Python's integers.

    Args:
        size: list, tuple or tensor of two numbers.
        name: what the message calls it.
    """
    sides = as_tensor(size)
    require(tuple(sides.shape) == (2,), f"'{name}' must be a 1-D Tensor of 2 elements: height, width; received {size}.")
    return int(sides[0]), int(sides[1])
