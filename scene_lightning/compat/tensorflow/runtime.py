"""What stands directly in `tf` beside the operations: the version, devices, printing, names."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from scene_lightning import __version__ as _engine_version
from scene_lightning import initializers
from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.logging import get_logger
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.random import set_random_seed

# TensorFlow's version whose names are followed, with this engine's as the local part (PEP 440).
__version__ = f"2.19.0+scene.lightning.{_engine_version}"
VERSION = __version__
version = SimpleNamespace(VERSION=VERSION)  # tf.version.VERSION
newaxis = None
convert_to_numpy = np.asarray
zeros_initializer, ones_initializer, constant_initializer = initializers.Zeros, initializers.Ones, initializers.Constant
random_normal_initializer, random_uniform_initializer = initializers.RandomNormal, initializers.RandomUniform
truncated_normal_initializer = initializers.TruncatedNormal


@contextmanager
def device(device_name: Any) -> Iterator[None]:
    """Leaves the block as it is: the verbs choose the device.

    Args:
        device_name: noted in the report of what had no effect.
    """
    ledger.ignore(f"tf.device({device_name!r})", "choose the device with --accelerator or fit(accelerator=)")
    yield


@contextmanager
def name_scope(name: Any, *_: Any, **__: Any) -> Iterator[str]:
    """Leaves the block as it is.

    Args:
        name: what the block gives.
        *_, **__: for TensorFlow's sake, without effect.
    """
    yield str(name)


@contextmanager
def control_dependencies(control_inputs: Any = None) -> Iterator[None]:
    """Leaves the block as it is: everything runs in the order in which it is written.

    Args:
        control_inputs: for TensorFlow's sake, without effect.
    """
    yield


init_scope = control_dependencies


def print(
    *inputs: Any, output_stream: Any = None, summarize: int = 3, sep: str = " ", end: str = "\n", name: Any = None
) -> None:
    """Prints tensors as arrays.

    Args:
        sep: what stands between them.
        end: what stands after the last.
        *inputs: tensors and anything else.
        output_stream, summarize, name: for TensorFlow's sake, without effect.
    """
    shown = (item.numpy() if isinstance(item, torch.Tensor) else item for item in inputs)
    builtins.print(*shown, sep=sep, end=end)


def is_tensor(x: Any) -> bool:
    """Whether something is a tensor.

    Args:
        x: anything.
    """
    return isinstance(x, torch.Tensor)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: Any = None) -> Any:
    """Calls one of two functions without arguments.

    Args:
        pred: a boolean.
        true_fn, false_fn: the function for true, and for false.
        name: for TensorFlow's sake, without effect.
    """
    return true_fn() if bool(pred) else false_fn()


def map_fn(fn: Callable[[Any], Any], elems: Any, *_: Any, **__: Any) -> Any:
    """Calls a function with each slice of the first axis, and stacks the results.

    Args:
        fn: the function.
        elems: a tensor, or several of them.
        *_, **__: for TensorFlow's sake, without effect.
    """
    return torch.stack([as_tensor(fn(item)) for item in elems])


def make_tensor_proto(values: Any, dtype: Any = None, shape: Any = None, **_: Any) -> Any:
    """Gives values as TensorBoard's message of a tensor.

    Args:
        values: array, list or number.
        dtype: None for the values' own.
        shape: None for the values' own.
        **_: for TensorFlow's sake, without effect.
    """
    from tensorboard.util.tensor_util import make_tensor_proto as make  # heavy, and an optional package

    return make(values, dtype=dtype, shape=shape)


def group(*_: Any, **__: Any) -> None:
    """Does nothing: operations have run already.

    Args:
        *_, **__: the operations.
    """


def no_op(name: Any = None) -> None:
    """Does nothing.

    Args:
        name: for TensorFlow's sake, without effect.
    """


__all__ = [
    "VERSION", "__version__", "cond", "constant_initializer", "control_dependencies", "convert_to_numpy", "device",
    "get_logger", "group", "init_scope", "is_tensor", "make_tensor_proto", "map_fn", "name_scope", "newaxis", "no_op",
    "ones_initializer", "print", "random_normal_initializer", "random_uniform_initializer", "set_random_seed",
    "truncated_normal_initializer", "version", "zeros_initializer",
]  # fmt: skip
