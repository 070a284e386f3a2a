"""`tf.bitwise`: operations on the bits of integers, as posterizing and solarizing images use them."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.math_ops import _binary
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation

bitwise_and = _binary(torch.bitwise_and, "The bits that are set in both.")
bitwise_or = _binary(torch.bitwise_or, "The bits that are set in x or y.")
bitwise_xor = _binary(torch.bitwise_xor, "The bits that are set in one of x and y.")
left_shift = _binary(torch.bitwise_left_shift, "The bits of x moved up by y places.")
right_shift = _binary(torch.bitwise_right_shift, "The bits of x moved down by y places.")


@operation
def invert(x: Any, name: Any = None) -> Any:
    """Turns every bit around.

    Args:
        x: whole numbers.
        name: for TensorFlow's sake, without effect.
    """
    return torch.bitwise_not(as_tensor(x))


__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]
