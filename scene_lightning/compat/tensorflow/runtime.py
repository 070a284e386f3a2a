"""What stands directly in `tf` beside the operations: the version, devices, printing, names."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from scene_lightning import __version__ as _engine_version
from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.logging import get_logger
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.random import set_random_seed

# TensorFlow's version whose names are followed, with this engine's as the local part (PEP 440).
__version__ = f"2.19.0+scene.lightning.{_engine_version}"
VERSION = __version__
version = SimpleNamespace(VERSION=VERSION)  # tf.version.VERSION


@contextmanager
def device(device_name: Any) -> Iterator[None]:
    """The block, as it is: the verbs choose the device."""
    ledger.ignore(f"tf.device({device_name!r})", "choose the device with --accelerator or fit(accelerator=)")
    yield


@contextmanager
def name_scope(name: Any, *_: Any, **__: Any) -> Iterator[str]:
    """The block, as it is."""
    yield str(name)


@contextmanager
def control_dependencies(control_inputs: Any = None) -> Iterator[None]:
    """The block, as it is: everything runs in the order in which it is written."""
    yield


init_scope = control_dependencies


def print(
    *inputs: Any, output_stream: Any = None, summarize: int = 3, sep: str = " ", end: str = "\n", name: Any = None
) -> None:
    """Print tensors as arrays."""
    shown = (item.numpy() if isinstance(item, torch.Tensor) else item for item in inputs)
    builtins.print(*shown, sep=sep, end=end)


def is_tensor(x: Any) -> bool:
    """Whether it is a tensor."""
    return isinstance(x, torch.Tensor)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: Any = None) -> Any:
    """One of two functions' result."""
    return true_fn() if bool(pred) else false_fn()


def map_fn(fn: Callable[[Any], Any], elems: Any, *_: Any, **__: Any) -> Any:
    """`fn` of each slice, stacked."""
    return torch.stack([as_tensor(fn(item)) for item in elems])


def make_tensor_proto(values: Any, dtype: Any = None, shape: Any = None, **_: Any) -> Any:
    """The values as TensorBoard's message of a tensor."""
    from tensorboard.util.tensor_util import make_tensor_proto as make  # heavy, and an optional package

    return make(values, dtype=dtype, shape=shape)


def group(*_: Any, **__: Any) -> None:
    """Nothing: operations have run already."""


def no_op(name: Any = None) -> None:
    """Nothing."""


__all__ = [
    "VERSION", "__version__", "cond", "control_dependencies", "device", "get_logger", "group", "init_scope",
    "is_tensor", "make_tensor_proto", "map_fn", "name_scope", "no_op", "print", "set_random_seed", "version",
]  # fmt: skip
