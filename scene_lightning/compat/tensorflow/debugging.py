"""`tf.debugging`: assertions on tensors."""

from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.errors import InputError


def assert_equal(x: Any, y: Any, message: Any = None, **_: Any) -> None:
    """Raises InputError unless all elements are equal.

    Args:
        x: tensor, array, list or number.
        y: the same.
        message: the error's; None for one that shows both.
        **_: for TensorFlow's sake, without effect.
    """
    if not torch.equal(as_tensor(x), as_tensor(y).to(as_tensor(x).dtype)):
        raise InputError(message or f"Expected equal tensors; received {x} and {y}.")


def check_numerics(tensor: Any, message: str = "", name: Any = None) -> Any:
    """Gives the tensor; raises InputError when it holds NaN or infinity.

    Args:
        tensor: tensor, array, list or number.
        message: the error's; "" for one of ours.
        name: for TensorFlow's sake, without effect.
    """
    if not torch.isfinite(as_tensor(tensor)).all():
        raise InputError(message or "The tensor holds NaN or infinity.")
    return tensor


def set_log_device_placement(enabled: bool) -> None:
    """Does nothing, for nothing is logged.

    Args:
        enabled: for TensorFlow's sake, without effect.
    """
