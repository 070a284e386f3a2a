"""`tf.bitwise`: operations on the bits of integers, as posterizing and solarizing images use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation, same_dtype


def _of_two(torch_function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: Any = None) -> Any:
        return torch_function(*same_dtype(x, y))

    function.__doc__ = doc
    return operation(function)


bitwise_and = _of_two(torch.bitwise_and, "The bits that are set in both.")
bitwise_or = _of_two(torch.bitwise_or, "The bits that are set in x or y.")
bitwise_xor = _of_two(torch.bitwise_xor, "The bits that are set in one of x and y.")
left_shift = _of_two(torch.bitwise_left_shift, "The bits of x moved up by y places.")
right_shift = _of_two(torch.bitwise_right_shift, "The bits of x moved down by y places.")


@operation
def invert(x: Any, name: Any = None) -> Any:
    """Turns every bit around.

    Args:
        x: whole numbers.
        name: for TensorFlow's sake, without effect.
    """
    return torch.bitwise_not(as_tensor(x))


__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]
