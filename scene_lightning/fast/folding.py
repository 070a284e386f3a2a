"""Folds BatchNormalization into the weights of neighbouring layers while a model predicts.

In inference BatchNormalization is a·x + b for each channel. After a convolution or Dense layer without activation it
scales that layer's filters; before one that does not pad (through Dropout, Flatten or a global average) it scales
that layer's inputs. Both are exact but for rounding: factors and biases are made in float64, on the host (Apple's GPUs
have none); a kernel is multiplied where it is, in float32 or wider. What was made for one prediction serves the next
one, as long as no weight has changed.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from scene_lightning.fast.affine import (
    DEPTHWISE,
    QUICKER,
    can_scale_outputs,
    on_last_axis,
    output_channels,
    outputs_scaled,
    plain,
    takes,
)
from scene_lightning.fast.fingerprint import fingerprint
from scene_lightning.fast.packing import PackedKernel
from scene_lightning.fast.reordering import Folds
from scene_lightning.fast.switch import fast_paths_enabled
from scene_lightning.layers import (
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from scene_lightning.layers.base.layer import Layer

_TRANSPARENT = (
    Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D,
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D, Flatten,
)  # fmt: skip


class Step(NamedTuple):
    """A BatchNormalization and the layer that takes it in, by their numbers.

    Attributes:
        normalization: its number.
        taker: the other's.
        before: whether it normalises the taker's inputs instead of its outputs.
        epsilon: the normalization's.
    """

    normalization: int
    taker: int
    before: bool
    epsilon: float


class _Kept(NamedTuple):
    """What a model predicted with last, and what that was made of."""

    layers: list[int]
    steps: list[Step]
    weights: torch.Tensor
    folds: Folds


_kept: weakref.WeakKeyDictionary[Any, _Kept] = weakref.WeakKeyDictionary()


@contextmanager
def folded(model: Any) -> Iterator[None]:
    """Within the block the model, and the models in it, predict with folded weights. Training them is not affected.

    Args:
        model: the model, built.
    """
    holders = _holders(model) if fast_paths_enabled() else []
    before = [holder._folds for holder in holders]  # of a prediction within which this one begins
    try:
        for holder in holders:
            holder._folds = _made_or_kept(holder)
        yield
    finally:
        for holder, folds in zip(holders, before, strict=True):
            holder._folds = folds


def refold(model: Any) -> None:
    """Within a folded prediction, fold anew what has changed meanwhile.

    Args:
        model: the model that predicts.
    """
    for holder in _holders(model):
        if holder._folds is not None:
            holder._folds = _made_or_kept(holder)


def _holders(model: Any) -> list[Any]:
    return [module for module in model.modules() if hasattr(module, "_chain")]


def current_folds(model: Any, training: bool | None) -> Folds | None:
    """What a call of a model computes with: None, its layers as they stand, where it trains or gradients are asked for.

    Args:
        model: the model.
        training: the phase of the call.
    """
    return None if training or torch.is_grad_enabled() else model._folds


def forget_folds(model: Any) -> None:
    """Free what is kept for the next prediction of a model that is about to be trained.

    Args:
        model: the model.
    """
    for module in model.modules():
        _kept.pop(module, None)


def _made_or_kept(holder: Any) -> Folds:
    """What a model is to predict with now: what it predicted with last, if all is as it was."""
    layers, followers = holder._chain()
    steps = plan(layers, followers)
    used = {number for step in steps for number in (step.normalization, step.taker)}
    used.update(number for number, layer in enumerate(layers) if type(layer) in QUICKER and layer.built)
    stores = [store for number in sorted(used) for store in (layers[number]._parameters, layers[number]._buffers)]
    seen = [weight for store in stores for weight in store.values() if weight is not None]
    weights, made_of = fingerprint(seen), [id(layer) for layer in layers]
    kept = _kept.get(holder)
    if (
        kept is not None
        and weights is not None
        and (kept.layers, kept.steps) == (made_of, steps)
        and torch.equal(kept.weights, weights)
    ):
        return kept.folds
    with torch.inference_mode(False), torch.no_grad():  # may be kept for calls of another kind
        folds = _fold(layers, steps)
    if weights is None:
        _kept.pop(holder, None)
    else:
        _kept[holder] = _Kept(made_of, steps, weights, folds)
    return folds


def fold(layers: Sequence[Layer], followers: Sequence[int | None]) -> Folds:
    """Which layers vanish, and the weights of those that take them in.

    Args:
        layers: the layers as they are called.
        followers: for each, the number of the only one that uses its output; None where there are several or none.
    """
    return _fold(layers, plan(layers, followers))


def plan(layers: Sequence[Layer], followers: Sequence[int | None]) -> list[Step]:
    """Which layers take in a BatchNormalization.

    Args:
        layers: the layers as they are called.
        followers: as for `fold`.
    """
    steps, feeders = [], Counter(followers)
    only = {follower: number for number, follower in enumerate(followers) if feeders[follower] == 1}
    for number, layer in enumerate(layers):
        if type(layer) is not BatchNormalization or not plain(layer) or not layer.built:
            continue
        before = only.get(number)
        if before is not None and can_scale_outputs(layers[before], layer):
            steps.append(Step(number, before, False, layer.epsilon))
        elif (after := _taker_of_inputs(layers, followers, number)) is not None:
            steps.append(Step(number, after, True, layer.epsilon))
    return steps


def _taker_of_inputs(layers: Sequence[Layer], followers: Sequence[int | None], number: int) -> int | None:
    normalization: Any = layers[number]
    channels = normalization.moving_mean.numel()
    if not on_last_axis(normalization):
        return None
    flat = False
    after = followers[number]
    while after is not None and type(layers[after]) in _TRANSPARENT:
        between: Any = layers[after]
        if not plain(between) or getattr(between, "data_format", "channels_last") != "channels_last":
            return None
        flat = flat or type(between) is Flatten
        after = followers[after]
    if after is None or not takes(layers[after]) or type(layers[after]) in DEPTHWISE:
        return None
    layer: Any = layers[after]
    if type(layer) is Dense:
        fits = layer.kernel.shape[0] == channels or (flat and layer.kernel.shape[0] % channels == 0)
    else:
        fits = layer.padding == "valid" and layer.groups == 1 and layer.kernel.shape[-2] == channels
    return after if fits else None


def _fold(layers: Sequence[Layer], steps: Sequence[Step]) -> Folds:
    work = _Folding(layers)
    for step in steps:
        work.take(step)
    return Folds(
        gone={step.normalization for step in steps},
        weights={number: work.rounded(number) for number in work.weights},
        packed={number: PackedKernel() for number, layer in enumerate(layers) if type(layer) in QUICKER},
    )


@dataclass
class _Folding:
    layers: Sequence[Layer]
    weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Fold one BatchNormalization into its taker's weights."""
        layer: Any = self.layers[step.normalization]
        scale = torch.rsqrt(layer.moving_variance.detach().cpu().double() + step.epsilon)
        scale = scale if layer.gamma is None else scale * layer.gamma.detach().cpu().double()
        shift = -layer.moving_mean.detach().cpu().double() * scale
        shift = shift if layer.beta is None else shift + layer.beta.detach().cpu().double()
        kernel, bias = self._weights(step.taker)
        if step.before:
            inputs = kernel.shape[-2]
            wide_scale, wide_shift = (part.repeat(inputs // part.numel()).view(-1, 1) for part in (scale, shift))
            bias = bias + (kernel.cpu().double() * wide_shift).sum(tuple(range(kernel.ndim - 1)))
            self.weights[step.taker] = kernel * wide_scale.to(kernel), bias
        else:
            scaled = outputs_scaled(self.layers[step.taker], kernel, scale.to(kernel))
            self.weights[step.taker] = scaled, bias * scale + shift

    def _weights(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        if number not in self.weights:
            layer: Any = self.layers[number]
            kernel = layer.kernel.detach()
            kernel = kernel.to(torch.promote_types(kernel.dtype, torch.float32))
            zeros = torch.zeros(output_channels(layer, kernel), dtype=torch.float64)
            self.weights[number] = kernel, zeros if layer.bias is None else layer.bias.detach().cpu().double()
        return self.weights[number]

    def rounded(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        layer: Any = self.layers[number]
        kernel, bias = self.weights[number]
        return kernel.to(layer.kernel.dtype), bias.to(layer.kernel)
