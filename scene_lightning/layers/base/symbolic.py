"""The symbolic tensors that functional models are written with, and the graph of layer calls that they record.

A `KerasTensor` has a shape and a dtype but no numbers. Calling a layer on one records a `Node`; a functional model
is the set of nodes between its inputs and its outputs (Keras: "The Functional API").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partialmethod
from typing import Any, NamedTuple

import torch

from scene_lightning._naming import auto_name
from scene_lightning.errors import InputError
from scene_lightning.layers.base.types import DTypeLike, Shape, ShapeLike
from scene_lightning.tree import flatten, map_shape_structure, map_structure


class TensorShape(tuple[int | None, ...]):
    """A shape: a tuple with TensorFlow's methods."""

    def __getitem__(self, key: Any) -> Any:
        sides = super().__getitem__(key)
        return TensorShape(sides) if isinstance(key, slice) else sides

    def is_fully_defined(self) -> bool:
        """Whether every side is known."""
        return None not in self

    def num_elements(self) -> int | None:
        """The product of the sides; None when one is unknown."""
        return None if None in self else math.prod(self)  # type: ignore[arg-type]

    numel = num_elements  # torch's name

    def as_list(self) -> list[int | None]:
        """The sides in a list."""
        return list(self)

    @property
    def rank(self) -> int:
        """The number of sides."""
        return len(self)

    @property
    def ndims(self) -> int:
        """The number of sides."""
        return len(self)


class History(NamedTuple):
    """Where a symbolic tensor came from. Keras: `tensor._keras_history`."""

    layer: Any
    node_index: int
    tensor_index: int


class KerasTensor:
    """Stand for a batch of values that come later: what `keras.Input` gives and layers compute with.

    Arithmetic and indexing (`a + b`, `x[:, 0]`) are recorded as operations, too.

    Args:
        shape: shape with the batch axis; None where a side is not known.
        dtype: dtype of the values.
        name: name of the tensor; by default "keras_tensor" with a number.
    """

    def __init__(self, shape: Any, dtype: str = "float32", name: str | None = None) -> None:
        self.shape = TensorShape(None if n is None else int(n) for n in shape)
        self.dtype = dtype
        self.name = name or auto_name("keras_tensor")
        self._keras_history: History | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without the call that made it, which travels with its model."""
        return {**self.__dict__, "_keras_history": None}

    @property
    def ndim(self) -> int:
        """The number of axes, the batch axis included."""
        return len(self.shape)

    def get_shape(self) -> TensorShape:
        """The shape, as programs for TensorFlow 1 ask for it."""
        return self.shape

    @property
    def _keras_shape(self) -> Shape:
        """The shape, as hand-written blocks for Keras 1 and 2 ask for it."""
        return tuple(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("A KerasTensor has no values to iterate over: it is a placeholder in a functional model.")

    def __bool__(self) -> bool:
        raise TypeError("A KerasTensor has no truth value: it is a placeholder in a functional model.")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise InputError(
            "A KerasTensor cannot be used as an array: it is a placeholder in a functional model. "
            "Use a layer on it, or build the model and call predict()."
        )

    # Arithmetic records an operator layer; `layers.operators` fills these in, so that this file needs no layer.
    _operator: Callable[..., Any] | None = None

    def _binary(self, symbol: str, other: Any, reflected: bool = False) -> Any:
        assert KerasTensor._operator is not None, "scene_lightning.layers is not imported"
        return KerasTensor._operator(symbol, self, other, reflected)

    __add__ = partialmethod(_binary, "add")
    __radd__ = partialmethod(_binary, "add", reflected=True)
    __sub__ = partialmethod(_binary, "subtract")
    __rsub__ = partialmethod(_binary, "subtract", reflected=True)
    __mul__ = partialmethod(_binary, "multiply")
    __rmul__ = partialmethod(_binary, "multiply", reflected=True)
    __truediv__ = partialmethod(_binary, "true_divide")
    __rtruediv__ = partialmethod(_binary, "true_divide", reflected=True)
    __pow__ = partialmethod(_binary, "power")
    __neg__ = partialmethod(_binary, "multiply", -1.0)
    __getitem__ = partialmethod(_binary, "get_item")


def shapes_of(inputs: Any) -> Any:
    """The shape(s) of a tensor, an array, or a structure of them; batch axis kept as it is.

    Args:
        inputs: a tensor, array, `KerasTensor`, or structure of them.
    """
    return map_structure(lambda leaf: tuple(leaf.shape) if hasattr(leaf, "shape") else leaf, inputs)


def is_symbolic(args: Any) -> bool:
    """Whether any leaf is a `KerasTensor`.

    Args:
        args: arguments of a call: lists, tuples and dicts to any depth.
    """
    if isinstance(args, dict):
        args = args.values()
    elif not isinstance(args, list | tuple):
        return isinstance(args, KerasTensor)
    return any(map(is_symbolic, args))


@dataclass(eq=False)
class Node:
    """One call of one layer on symbolic tensors.

    Args:
        layer: the layer that was called.
        args, kwargs: what it was called with; `KerasTensor`s may stand in them at any depth.
        outputs: its symbolic outputs, in order.
        output_structure: the same, in the structure that the layer returns.
    """

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[KerasTensor] = field(default_factory=list)
    output_structure: Any = None

    @property
    def input_tensors(self) -> list[KerasTensor]:
        """The symbolic tensors this call reads, in order."""
        return [leaf for leaf in flatten([list(self.args), self.kwargs]) if isinstance(leaf, KerasTensor)]

    @property
    def parents(self) -> list[Node]:
        """The nodes that produced this call's inputs."""
        return [node_of(tensor) for tensor in self.input_tensors]

    @property
    def is_input(self) -> bool:
        """Whether this node stands for a model input."""
        return not self.input_tensors


def node_of(tensor: KerasTensor) -> Node:
    """The node that produced `tensor`.

    Args:
        tensor: output of a layer or of `Input`.
    """
    history = tensor._keras_history
    if history is None:
        raise InputError(f"{tensor!r} was not produced by a layer. Use Input(shape=...) to start a functional model.")
    return history.layer._inbound_nodes[history.node_index]


def record_node(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output_shapes: Any, dtype: str) -> Any:
    """Remember one symbolic call of `layer` and return its output tensor(s), shaped like `output_shapes`.

    Args:
        layer: the layer that is called.
        args, kwargs: what it is called with.
        output_shapes: shape, or structure of shapes, of its outputs.
        dtype: name of the outputs' dtype.
    """
    node = Node(layer, _own(args), _own(kwargs))  # the caller may go on appending to a list that it gave
    node_index = len(layer._inbound_nodes)

    def make(shape: Any) -> KerasTensor:
        tensor = KerasTensor(shape, dtype=dtype)
        tensor._keras_history = History(layer, node_index, len(node.outputs))
        node.outputs.append(tensor)
        return tensor

    node.output_structure = map_shape_structure(make, output_shapes)
    layer._inbound_nodes.append(node)
    return node.output_structure


def _own(structure: Any) -> Any:
    return map_structure(_as_constant, structure)


def _as_constant(leaf: Any) -> Any:
    """A computed tensor among a call's arguments is a constant of the model: its history belongs to no later step."""
    computed = isinstance(leaf, torch.Tensor) and leaf.requires_grad and not leaf.is_leaf
    return leaf.detach() if computed else leaf


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape (a tuple or list of ints and Nones) and not a structure of shapes.

    Args:
        value: a shape, a structure of shapes or anything else.
    """
    return isinstance(value, tuple | list | torch.Size) and all(n is None or isinstance(n, int) for n in value)


def shape_leaves(shapes: Any) -> list[Any]:
    """The shapes in a structure of shapes.

    Args:
        shapes: structure of shapes; numbers, strings and None hold none.
    """
    leaves: list[Any] = []
    if not isinstance(shapes, int | float | str | bool) and shapes is not None:
        map_shape_structure(leaves.append, shapes)
    return leaves


def merge_shapes(first: Any, second: Any) -> Any:
    """Merge the shapes of two dry runs at different unknown lengths: None where they differ.

    Args:
        first, second: shapes, or structures of them, from the first and the second run.
    """
    if is_shape(first):
        merged = tuple(a if a == b else None for a, b in zip(first, second, strict=True))
        return (None, *merged[1:]) if merged and merged[0] == 1 else merged
    if isinstance(first, dict):
        return {key: merge_shapes(first[key], second[key]) for key in first}
    return type(first)(merge_shapes(a, b) for a, b in zip(first, second, strict=True))


class InputSpec:
    """Say which inputs a layer accepts: `layer.input_spec = InputSpec(ndim=4)`.

    A layer checks its inputs against it at every call.

    Args:
        dtype: kept, not checked.
        shape: shape of the input, batch axis included; None in it: any side.
        ndim: number of axes.
        max_ndim: largest number of axes.
        min_ndim: least number of axes.
        axes: {axis: side that it must have}.
        allow_last_axis_squeeze: not looked at.
        name: not looked at.
        optional: not looked at.
    """

    def __init__(
        self,
        dtype: DTypeLike = None,
        shape: ShapeLike | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype, self.shape, self.ndim = dtype, shape, ndim if shape is None else len(shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = dict(axes or {})

    def check(self, shape: Shape, layer_name: str) -> None:
        """Hold a shape against the specification.

        Args:
            shape: shape of the input, batch axis included.
            layer_name: the layer's name, for the message.

        Raises:
            InputError: it does not fit; in Keras' words.
        """
        head = f'Input 0 of layer "{layer_name}" is incompatible with the layer: '
        tail = f"Full shape received: {tuple(shape)}"
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            raise InputError(f"{head}expected ndim={self.ndim}, found ndim={rank}. {tail}")
        if self.min_ndim is not None and rank < self.min_ndim:
            raise InputError(f"{head}expected min_ndim={self.min_ndim}, found ndim={rank}. {tail}")
        if self.max_ndim is not None and rank > self.max_ndim:
            raise InputError(f"{head}expected max_ndim={self.max_ndim}, found ndim={rank}. {tail}")
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                raise InputError(
                    f"{head}expected axis {axis} of input shape to have value {size}, but received input with "
                    f"shape {tuple(shape)}."
                )
        if self.shape is not None:
            for expected, received in zip(self.shape, shape, strict=True):
                if expected is not None and received is not None and expected != received:
                    raise InputError(f"{head}expected shape={tuple(self.shape)}, found shape={tuple(shape)}")
