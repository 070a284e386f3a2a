"""Collects the rows of a model's summary (layers, nesting, connections, shapes) and counts its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import Node
from scene_lightning.tree import map_shape_structure, map_structure

# The layers that Keras counts as built from the start.
_BORN_BUILT = re.compile(
    r".*Pooling[123]D|Activation|ActivityRegularization|(Alpha|Gaussian|Spatial)?Dropout([123]D)?|GaussianNoise|Identity"
    r"|InputLayer|ELU|LeakyReLU|ReLU|Softmax|Masking|Reshape|UnitNormalization"
)


@dataclass(frozen=True)
class WeightCounts:
    """How many values and bytes a model's weights have.

    Args:
        trainable: (values, bytes) of the weights that are trained.
        non_trainable: (values, bytes) of the others.
        optimizer: (values, bytes) of the optimizer's state; None before it has any.
    """

    trainable: tuple[int, float]
    non_trainable: tuple[int, float]
    optimizer: tuple[int, float] | None

    @property
    def total(self) -> tuple[int, float]:
        """All of them together."""
        parts = [self.trainable, self.non_trainable, *([self.optimizer] if self.optimizer else [])]
        return sum(count for count, _ in parts), sum(size for _, size in parts)


@dataclass(frozen=True)
class Row:
    """One layer of the table.

    Args:
        layer: the layer.
        level: how deep it is nested, from 0.
        is_last: whether it is the last of a model inside the model.
        has_children: whether its own layers follow.
        connections: (layer, call, output) that its inputs come from.
    """

    layer: Any
    level: int
    is_last: bool
    has_children: bool
    connections: list[tuple[str, int, int]]


class SummaryRows:
    """The rows of one model's table.

    Attributes:
        model: the model.
        sequential_like: whether the layers are one chain, so that the table needs no column of connections.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.sequential_like = model, _is_sequential_like(model)
        nodes = [] if self.sequential_like else [node for nodes in model._nodes_by_depth.values() for node in nodes]
        self._nodes = {id(node) for node in nodes}

    def rows(self, expand_nested: bool, layer_range: Sequence[str] | None) -> list[Row]:
        """The rows, top to bottom."""
        layers = self.model._operations
        first, last = _layer_slice(layers, layer_range)
        return [row for layer in layers[first:last] for row in self._rows_of(layer, 0, False, expand_nested)]

    def _rows_of(self, layer: Any, level: int, is_last: bool, expand: bool) -> list[Row]:
        inner = list(getattr(layer, "layers", None) or []) if expand else []
        rows = [Row(layer, level, is_last, bool(inner), self._connections(layer))]
        for child in inner:
            rows += self._rows_of(child, level + 1, child is inner[-1], expand)
        return rows

    def _connections(self, layer: Any) -> list[tuple[str, int, int]]:
        if self.sequential_like:
            return []
        histories = [
            tensor._keras_history
            for node in layer._inbound_nodes
            if id(node) in self._nodes  # a shared layer has calls in other models too
            for tensor in node.input_tensors
        ]
        return [(h.layer.name, h.node_index, h.tensor_index) for h in histories if h is not None]


def _is_sequential_like(model: Any) -> bool:
    """Whether the layers are one chain, so that the table needs no column of connections."""
    by_depth: dict[int, list[Node]] | None = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        return True
    if any(len(nodes) > 1 or len(nodes[0].input_tensors) > 1 for nodes in by_depth.values()):
        return False
    own = {id(node) for nodes in by_depth.values() for node in nodes}
    return all(sum(id(node) in own for node in layer._inbound_nodes) <= 1 for layer in model._operations)


def _layer_slice(layers: Sequence[Any], layer_range: Sequence[str] | None) -> tuple[int, int]:
    """The slice of `layers` between the first that matches one pattern and the last that matches the other."""
    if layer_range is None:
        return 0, len(layers)
    if len(layer_range) != 2:
        raise InputError(
            f"layer_range must be a list or tuple of length 2. Received: layer_range = {layer_range} of length "
            f"{len(layer_range)}"
        )
    if not all(isinstance(name, str) for name in layer_range):
        raise InputError(f"layer_range should contain string type only. Received: {layer_range}")
    lower, upper = (
        [index for index, layer in enumerate(layers) if re.match(pattern, layer.name)] for pattern in layer_range
    )
    if not lower or not upper:
        raise InputError(f"Passed layer_names do not match the layer names in the model. Received: {layer_range}")
    if min(lower) > max(upper):
        return min(upper), max(lower) + 1
    return min(lower), max(upper) + 1


def output_shapes(layer: Any) -> Any:
    """The shape, or structure of shapes, that a layer gives; None while nobody knows.

    Args:
        layer: a layer or model.
    """
    nodes = getattr(layer, "_inbound_nodes", [])
    if nodes:
        return map_structure(lambda tensor: tuple(tensor.shape), nodes[-1].output_structure)
    built_with = getattr(layer, "_build_shape", None)
    if built_with is None:
        return None
    try:
        # Any number of images fits, whatever number the layer first saw.
        return map_shape_structure(lambda shape: (None, *shape[1:]), layer.compute_output_shape(built_with))
    except (NotImplementedError, TypeError, ValueError, RuntimeError):
        return None  # a layer of the user's that cannot say


def parameter_count(layer: Any) -> int | None:
    """The number of weight values, or None before the layer has its weights; a layer that needs none has 0.

    Args:
        layer: a layer or model.
    """
    if layer.built:
        return int(layer.count_params())
    return 0 if _BORN_BUILT.fullmatch(type(layer).__name__) else None


def count_weights(model: Any) -> WeightCounts:
    """Count the values and bytes of the weights of a model and of its optimizer.

    Args:
        model: a model.
    """
    optimizer = getattr(model, "optimizer", None)
    return WeightCounts(
        _size_of(model.trainable_weights),
        _size_of(model.non_trainable_weights),
        _size_of(optimizer.variables) if optimizer is not None and model.compiled and optimizer.built else None,
    )


def _size_of(variables: Iterable[Any]) -> tuple[int, float]:
    count = size = 0
    for variable in {id(variable): variable for variable in variables}.values():
        values = int(np.prod(tuple(variable.shape)))
        count += values
        dtype = variable.dtype
        size += values * (dtype.itemsize if isinstance(dtype, torch.dtype) else np.dtype(dtype).itemsize)
    return count, float(size)


def readable_size(size_bytes: float, units: Sequence[str] = ("B", "KB", "MB", "GB", "TB", "PB")) -> str:
    """A size with its unit: 15752728 → `15.02 MB`; each unit is 1024 of the one before.

    Args:
        size_bytes: bytes.
        units: their names, from bytes upwards.
    """
    for unit in units[:-1]:
        if size_bytes < 1024:
            return f"{size_bytes:.2f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.2f} {units[-1]}"
