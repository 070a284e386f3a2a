"""The layers of a model in; what to call instead of each out: the same numbers in a cheaper order.

max(relu(a), relu(b)) = relu(max(a, b)): max-pooling and ReLU commute exactly, and so do their gradients (where the
largest value of a window is not positive, both ways give none). Pooling first leaves ReLU a quarter of the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning.fast.dropout import IntegerDropout, worth_it
from scene_lightning.fast.switch import fast_paths_enabled
from scene_lightning.layers import (
    Activation,
    Conv1D,
    Conv2D,
    Conv3D,
    Dropout,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    ReLU,
)
from scene_lightning.layers.base import Layer
from scene_lightning.layers.symbolic import KerasTensor, Node

_CONVOLUTIONS = (Conv1D, Conv2D, Conv3D)
_POOLS = (MaxPooling1D, MaxPooling2D, MaxPooling3D)
Call = Callable[..., Any]


def stack_calls(layers: Iterable[Layer]) -> Iterator[Call]:
    """What to call, one after another, for a stack of layers."""
    if not fast_paths_enabled():
        yield from layers
        return
    pending: Layer | None = None  # a layer whose ReLU may have to wait for the pool after it
    for layer in layers:
        if pending is not None:
            if _may_pool_first(pending, layer):
                yield _without_relu(pending)
                yield _then_relu(layer)
                pending = None
                continue
            yield pending
            pending = None
        if _ends_in_relu(layer):
            pending = layer
        else:
            yield _alone(layer)
    if pending is not None:
        yield pending


def relu_pool_pairs(nodes: Sequence[Node], outputs: Iterable[KerasTensor]) -> list[tuple[int, int]]:
    """Where in `nodes` a ReLU is followed by max-pooling and by nothing else: (number of one, number of the other)."""
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in outputs)
    makers = {id(tensor): number for number, node in enumerate(nodes) for tensor in node.outputs}
    pairs = []
    for number, node in enumerate(nodes):
        if type(node.layer) not in _POOLS or len(node.input_tensors) != 1 or node.kwargs:
            continue
        symbol = node.input_tensors[0]
        maker = makers.get(id(symbol))
        if maker is None or uses[id(symbol)] != 1 or nodes[maker].kwargs or not _ends_in_relu(nodes[maker].layer):
            continue
        pairs.append((maker, number))
    return pairs


def graph_calls(nodes: Sequence[Node], pairs: Iterable[tuple[int, int]]) -> list[Call]:
    """What to call for each node of a graph, in the order of `nodes`; `pairs` come from `relu_pool_pairs`."""
    if not fast_paths_enabled():
        return [node.layer for node in nodes]
    calls: list[Call] = [_alone(node.layer) for node in nodes]
    for maker, pool in pairs:
        before, after = nodes[maker].layer, nodes[pool].layer
        if _ends_in_relu(before) and _may_pool_first(before, after):
            calls[maker], calls[pool] = _without_relu(before), _then_relu(after)
    return calls


def _watched(layer: Layer) -> bool:
    """Whether somebody looks at what this layer gives: a hook, a penalty on its output."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or layer.activity_regularizer is not None)


def _ends_in_relu(layer: Layer) -> bool:
    if type(layer) in _CONVOLUTIONS or type(layer) is Activation:
        return layer.activation is activations.relu
    return type(layer) is ReLU and layer.max_value is None and not layer.negative_slope and not layer.threshold


def _may_pool_first(layer: Layer, pool: Layer) -> bool:
    if type(pool) not in _POOLS or _watched(layer) or _watched(pool):
        return False
    return type(layer) in _CONVOLUTIONS or layer._explicit_dtype is None


def _without_relu(layer: Layer) -> Call:
    if not isinstance(layer, _CONVOLUTIONS):
        return _as_it_is
    convolution = layer
    return lambda inputs: convolution.run(convolution.convolve, inputs)


def _as_it_is(inputs: torch.Tensor) -> torch.Tensor:
    return inputs


def _then_relu(pool: Layer) -> Call:
    return lambda inputs: torch.relu_(pool(inputs))


def _alone(layer: Layer) -> Call:
    """The layer, or for Dropout its cheaper masks."""
    if type(layer) is not Dropout or layer.seed is not None or layer.noise_shape is not None or _watched(layer):
        return layer
    dropout = layer

    def drop(inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if training and inputs.is_floating_point() and worth_it(inputs, dropout.rate):
            return IntegerDropout.apply(inputs, dropout.rate)
        return dropout.call(inputs, training=training)

    return lambda inputs, training=None: dropout.run(drop, inputs, training=training)
