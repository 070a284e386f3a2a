"""Gradients and variables: `tf.GradientTape`, `tf.Variable`, `tf.function`. On torch's autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import InputError
from scene_lightning.layers.base.tracking import as_variable
from scene_lightning.layers.base.variable import Variable as KerasVariable
from scene_lightning.tree import flatten, map_structure
from scene_lightning.utils.elements import map_leaves

_open_tapes: list[Any] = []


class GradientTape:
    """Within the block, what is computed can be differentiated. TensorFlow: `tf.GradientTape`.

    Torch records by itself; a block within another one gives gradients that can be differentiated again.

    Args:
        persistent: whether `gradient` may be called again after the block.
        watch_accessed_variables: for TensorFlow's sake, without effect.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._grad = torch.enable_grad()
        self._persistent = persistent
        self._watched: list[Any] = []

    def __enter__(self) -> GradientTape:
        self._grad.__enter__()
        _open_tapes.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _open_tapes.remove(self)
        self._grad.__exit__(*error)

    def watch(self, tensor: Any) -> None:
        """Has `gradient` differentiate by this tensor too (variables and weights are watched anyway)."""
        for leaf in flatten(tensor):
            if not leaf.requires_grad:
                if not leaf.is_floating_point():
                    raise InputError(f"Only float tensors have gradients; received {leaf.dtype}. Use tf.cast.")
                self._watched.append(leaf.requires_grad_(True))

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: Any = None
    ) -> Any:
        """The gradients of the sum of `target` by `sources`, in their structure; None where there is none."""
        targets = [leaf for leaf in flatten(target) if leaf.requires_grad]
        leaves = flatten(sources)
        if not targets:
            return map_structure(lambda _: None, sources)
        differentiable = [leaf for leaf in leaves if leaf.requires_grad]
        seeds = [torch.ones_like(leaf) for leaf in targets] if output_gradients is None else flatten(output_gradients)
        gradients = torch.autograd.grad(
            targets, differentiable, seeds, retain_graph=True, create_graph=bool(_open_tapes), allow_unused=True
        )
        if not self._persistent and not _open_tapes:  # so that `image += step * gradient` may move what was watched
            for leaf in self._watched:
                leaf.requires_grad_(False)
        by_leaf = {id(leaf): gradient for leaf, gradient in zip(differentiable, gradients, strict=True)}
        return map_structure(lambda leaf: by_leaf.get(id(leaf)), sources)


class _VariableMaker(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        if isinstance(instance, KerasVariable):
            return True
        return isinstance(instance, torch.Tensor) and instance.is_leaf and instance.requires_grad


class Variable(metaclass=_VariableMaker):
    """A tensor that is trained: a leaf of torch's graph, and a weight of the layer that has it as an attribute.

    `assign` and its like work on every tensor here.
    """

    def __new__(
        cls, initial_value: Any = None, trainable: bool = True, dtype: Any = None, name: Any = None, **_: Any
    ) -> Any:
        value = initial_value() if callable(initial_value) else initial_value
        return as_variable(as_tensor(value, dtype).detach().clone(), trainable, f"{name or 'Variable'}:0")


def function(func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Gives the function as it is: there is no graph to compile here. Works with and without arguments.

    Args:
        func: what is decorated; None where the decorator has arguments.
        **options: of `tf.function`, without effect.
    """
    ledger.ignore("tf.function", "every step runs eagerly; compile(jit_compile=True) is torch.compile")
    if func is None:
        return lambda decorated: decorated
    return func


def stop_gradient(input: Any, name: Any = None) -> Any:
    """Gives the tensor as a constant: no gradient goes through it.

    Args:
        input: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(input).detach()


def py_function(func: Callable[..., Any], inp: Any, Tout: Any = None, name: Any = None) -> Any:
    """Calls a Python function of tensors.

    Args:
        func: it takes tensors and gives tensors, arrays or numbers.
        inp: list of its arguments.
        Tout, name: for TensorFlow's sake, without effect.
    """
    return map_leaves(as_tensor, func(*map(_with_numpy, inp)))


def _with_numpy(value: Any) -> Any:
    return as_text(value) if isinstance(value, str | bytes) else value


def numpy_function(func: Callable[..., Any], inp: Any, Tout: Any = None, **_: Any) -> Any:
    """Calls a Python function of arrays; what it gives becomes tensors.

    Args:
        func: it takes arrays, and text as bytes.
        inp: list of its arguments.
        Tout, **_: for TensorFlow's sake, without effect.
    """
    result = func(*(item.numpy() if hasattr(item, "numpy") else item for item in map(_with_numpy, inp)))
    return [as_tensor(item) for item in result] if isinstance(result, list | tuple) else as_tensor(result)


py_func = numpy_function


def custom_gradient(f: Callable[..., Any]) -> Any:
    """Decorates a function that comes with its own gradient.

    Args:
        f: gives (result, function from the result's gradient to those of the arguments).
    """

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> Any:
            result, ctx.gradient = f(*args)
            return result

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            return ctx.gradient(*upstream)

    return functools.wraps(f)(lambda *args: Custom.apply(*args))


def executing_eagerly() -> bool:
    """Whether operations run at once: always, here."""
    return True
