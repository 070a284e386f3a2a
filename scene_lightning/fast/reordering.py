"""Reorders the layers of a model where the same numbers come cheaper: max-pooling before ReLU and bias.

max(relu(a), relu(b)) = relu(max(a, b)): max-pooling and ReLU commute exactly, and so do their gradients (where the
largest value of a window is not positive, both ways give none). Pooling first leaves ReLU a quarter of the work.
So does the bias, max(a + b) = max(a) + b: in training on the CPU it is added after pooling, and its gradient summed
over a quarter of the values; the kernels add it at another moment, so that these are equal to rounding.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning.fast.affine import CONVOLUTIONS, QUICKER, frozen, normalised, plain, product, watched
from scene_lightning.fast.dropout import IntegerDropout, worth_it
from scene_lightning.fast.packing import PackedKernel
from scene_lightning.fast.pooling import largest_of_windows
from scene_lightning.fast.pooling import worth_it as worth_pooling_so
from scene_lightning.fast.switch import fast_paths_enabled
from scene_lightning.layers import (
    Activation,
    BatchNormalization,
    Dropout,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    ReLU,
)
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import KerasTensor, Node

_POOLS = (MaxPooling1D, MaxPooling2D, MaxPooling3D)
_JOINED = (*_POOLS, BatchNormalization)  # layers that may be computed with the one before
Call = Callable[..., Any]
Around = Callable[[Any, Call], Call]


@dataclass(frozen=True)
class Folds:
    """What prediction computes with instead of the layers as they stand, by their numbers; from `fast.folding`.

    Attributes:
        gone: layers that now stand inside others' weights.
        weights: (kernel, bias) of those others.
        packed: what keeps convolutions' kernels from one call to the next.
    """

    gone: set[int] = field(default_factory=set)
    weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    packed: dict[int, PackedKernel] = field(default_factory=dict)

    def weights_like(self, number: int, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights of one layer on the device of its own kernel, and in its dtype.

        Lightning moves and casts a model only after it was folded. They are moved once.

        Args:
            number: the layer's number.
            kernel: its own kernel.
        """
        weights = self.weights[number]
        if weights[0].device != kernel.device or weights[0].dtype != kernel.dtype:
            weights = self.weights[number] = weights[0].to(kernel), weights[1].to(kernel)
        return weights


def stack_calls(layers: Sequence[Layer], folds: Folds | None = None) -> list[Call]:
    """What to call, one after another, for a stack of layers.

    Args:
        layers: the layers, in order.
        folds: what prediction computes with instead; None in training.
    """
    if not fast_paths_enabled():
        return list(layers)
    numbers = range(len(layers) - 1)
    return _calls(layers, [(n, n + 1) for n in numbers if type(layers[n + 1]) in _JOINED], folds)


def followers(nodes: Sequence[Node], outputs: Iterable[KerasTensor]) -> list[int | None]:
    """For each node of a graph the number of the only one that uses its output, and nothing but it; else None.

    Args:
        nodes: the calls of a graph, in order.
        outputs: the graph's outputs.
    """
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in outputs)
    users = {id(node.input_tensors[0]): n for n, node in enumerate(nodes) if len(node.input_tensors) == 1}
    single = [len(node.outputs) == 1 and uses[id(node.outputs[0])] == 1 and not node.kwargs for node in nodes]
    nexts = [users.get(id(node.outputs[0])) if alone else None for node, alone in zip(nodes, single, strict=True)]
    return [None if after is None or nodes[after].kwargs else after for after in nexts]


def joined_pairs(nodes: Sequence[Node], after: Iterable[int | None]) -> list[tuple[int, int]]:
    """Where max-pooling or BatchNormalization is all that sees a layer: pairs of numbers in the list of calls.

    Args:
        nodes: the calls of a graph, in order.
        after: what `followers` gave.
    """
    return [(n, user) for n, user in enumerate(after) if user is not None and type(nodes[user].layer) in _JOINED]


def graph_calls(nodes: Sequence[Node], pairs: Iterable[tuple[int, int]], folds: Folds | None = None) -> list[Call]:
    """What to call for each node of a graph, in their order.

    Args:
        nodes: the calls of a graph, in order.
        pairs: what `joined_pairs` gave.
        folds: what prediction computes with instead; None in training.
    """
    layers = [node.layer for node in nodes]
    return _calls(layers, pairs, folds) if fast_paths_enabled() else layers


def _calls(layers: Sequence[Layer], pairs: Iterable[tuple[int, int]], folds: Folds | None) -> list[Call]:
    through = _through if folds is None else _straight
    folds = folds or Folds()
    packed = folds.packed.get
    calls = [
        _folded(folds, n, layer) if n in folds.weights else _alone(layer, packed(n), through)
        for n, layer in enumerate(layers)
    ]
    for number in folds.gone:
        calls[number] = _as_it_is
    for first, pool in pairs:
        before, after = layers[first], layers[pool]
        if type(after) is BatchNormalization:
            if pool not in folds.gone and first not in folds.weights and frozen(before, after):
                calls[first], calls[pool] = normalised(before, after), _as_it_is
        elif _ends_in_relu(before) and _may_pool_first(before, after):
            if first in folds.weights:
                calls[first], calls[pool] = _folded(folds, first, before, activated=False), _then_relu(after, through)
            elif isinstance(before, CONVOLUTIONS):
                calls[first] = _without_relu(before, after, packed(first), through)
                calls[pool] = _then_bias_and_relu(before, after, through)
            else:
                calls[first], calls[pool] = _as_it_is, _then_relu(after, through)
    return calls


def _through(layer: Layer, compute: Call) -> Call:
    """`compute` instead of the layer's `call`, and around it all that a call of the layer does."""
    return lambda inputs, **kwargs: layer.run(compute, inputs, **kwargs)


def _straight(layer: Layer, compute: Call) -> Call:
    """The same for predictions, where of all that a look at the shape is left to do."""
    if not layer.built or not plain(layer):
        return _through(layer, compute)

    def call(inputs: Any, **kwargs: Any) -> Any:
        if kwargs or not isinstance(inputs, torch.Tensor):
            return layer.run(compute, inputs, **kwargs)
        if layer.input_spec is not None:
            layer.input_spec.check(tuple(inputs.shape), layer.name)
        return compute(inputs)

    return call


def _folded(folds: Folds, number: int, layer: Any, activated: bool = True) -> Call:
    """The layer with its folded weights, with or without its activation."""

    def compute(inputs: torch.Tensor) -> torch.Tensor:
        outputs = product(layer, folds.packed.get(number))(inputs, *folds.weights_like(number, layer.kernel))
        return layer.activation(outputs) if activated else outputs

    return _straight(layer, compute)


def _ends_in_relu(layer: Layer) -> bool:
    if type(layer) in CONVOLUTIONS or type(layer) is Activation:
        return layer.activation is activations.relu
    return type(layer) is ReLU and layer.max_value is None and not layer.negative_slope and not layer.threshold


def _may_pool_first(layer: Layer, pool: Layer) -> bool:
    if type(pool) not in _POOLS or watched(layer) or watched(pool):
        return False
    return type(layer) in CONVOLUTIONS or layer._explicit_dtype is None


def _without_relu(layer: Any, pool: Any, packed: PackedKernel | None, through: Around) -> Call:
    def convolve(inputs: torch.Tensor) -> torch.Tensor:
        bias = None if _bias_waits(layer, pool) else layer.bias
        return product(layer, packed)(inputs, layer.kernel, bias)  # read here: `run` may only now have built them

    return through(layer, convolve)


def _bias_waits(layer: Any, pool: Any) -> bool:
    """Whether the bias is added after pooling: where a backward pass will sum its gradient, in float32, on the CPU."""
    kernel = layer.kernel
    return (
        layer.bias is not None
        and torch.is_grad_enabled()
        and kernel.device.type == "cpu"
        and kernel.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and layer.data_format == pool.data_format == "channels_last"
    )


def _then_bias_and_relu(layer: Any, pool: Any, through: Around) -> Call:
    pooling = _pooling(pool, through)

    def finish(inputs: torch.Tensor) -> torch.Tensor:
        pooled = pooling(inputs)
        return torch.relu_(pooled + layer.bias) if _bias_waits(layer, pool) else torch.relu(pooled)

    return finish


def _as_it_is(inputs: torch.Tensor) -> torch.Tensor:
    return inputs


def _then_relu(pool: Layer, through: Around) -> Call:
    pooling = _pooling(pool, through)
    return lambda inputs: torch.relu(pooling(inputs))


def _pooling(pool: Any, through: Around) -> Call:
    """A max-pooling layer, by the quicker way where there is one."""
    if type(pool) is not MaxPooling2D:
        return pool

    def pooled(images: torch.Tensor) -> torch.Tensor:
        return largest_of_windows(images) if worth_pooling_so(pool, images) else pool.call(images)

    return through(pool, pooled)


def _quicker(layer: Any, packed: PackedKernel | None, through: Around) -> Call:
    def compute(inputs: torch.Tensor) -> Any:
        return layer.activation(product(layer, packed)(inputs, layer.kernel, layer.bias))

    return through(layer, compute)


def _alone(layer: Layer, packed: PackedKernel | None, through: Around) -> Call:
    """The layer, or for Dropout its cheaper masks, for convolutions and MaxPooling2D the quicker way."""
    if watched(layer):
        return layer
    if type(layer) is MaxPooling2D:
        return _pooling(layer, through)
    if type(layer) in QUICKER:
        return _quicker(layer, packed, through)
    if type(layer) is Dropout and layer.seed is None and layer.noise_shape is None:
        return _through(layer, functools.partial(_drop, layer))
    if through is _straight and _is_built_in(layer) and not layer._call_takes_training():
        return _straight(layer, layer.call)
    return layer


def _is_built_in(layer: Layer) -> bool:
    return isinstance(layer, StandardLayer) and type(layer).__module__.startswith("scene_lightning.layers.")


def _drop(dropout: Any, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
    if training and inputs.is_floating_point() and worth_it(inputs, dropout.rate):
        dropped: torch.Tensor = IntegerDropout.apply(inputs, dropout.rate)
        return dropped
    return dropout.call(inputs, training=training)  # type: ignore[no-any-return]
