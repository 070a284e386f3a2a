"""Folds BatchNormalization into the weights of neighbouring layers while a model predicts.

In inference BatchNormalization is a·x + b for each channel. After a convolution or Dense layer without activation it
scales that layer's filters; before one that does not pad (through Dropout, Flatten or a global average) it scales
that layer's inputs. Both are exact but for rounding: factors and biases are made in float64, on the host (Apple's GPUs
have none); a kernel is multiplied where it is, in float32 or wider.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from scene_lightning.fast.affine import (
    DEPTHWISE,
    can_scale_outputs,
    on_last_axis,
    output_channels,
    outputs_scaled,
    plain,
    takes,
)
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


@contextmanager
def folded(model: Any) -> Iterator[None]:
    """Within the block the model, and the models in it, predict with folded weights. Training them is not affected.

    Args:
        model: the model, built.
    """
    holders = [module for module in model.modules() if hasattr(module, "_chain")] if fast_paths_enabled() else []
    try:
        for holder in holders:
            holder._folds = fold(*holder._chain())
        yield
    finally:
        for holder in holders:
            holder._folds = None


def fold(layers: Sequence[Layer], followers: Sequence[int | None]) -> Folds:
    """Which layers vanish, and the weights of those that take them in.

    Args:
        layers: the layers as they are called.
        followers: for each, the number of the only one that uses its output; None where there are several or none.
    """
    work = _Folding(layers, followers)
    for number, layer in enumerate(layers):
        if type(layer) is BatchNormalization and plain(layer) and layer.built:
            work.take(number, layer)
    return Folds(work.gone, {number: work.rounded(number) for number in work.weights})


@dataclass
class _Folding:
    layers: Sequence[Layer]
    followers: Sequence[int | None]
    gone: set[int] = field(default_factory=set)
    weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def take(self, number: int, layer: Any) -> None:
        """Fold one BatchNormalization, if a neighbour can take it."""
        scale = torch.rsqrt(layer.moving_variance.detach().cpu().double() + layer.epsilon)
        scale = scale if layer.gamma is None else scale * layer.gamma.detach().cpu().double()
        shift = -layer.moving_mean.detach().cpu().double() * scale
        shift = shift if layer.beta is None else shift + layer.beta.detach().cpu().double()
        before = [other for other, follower in enumerate(self.followers) if follower == number]
        if len(before) == 1 and can_scale_outputs(self.layers[before[0]], layer):
            kernel, bias = self._weights(before[0])
            scaled = outputs_scaled(self.layers[before[0]], kernel, scale.to(kernel))
            self.weights[before[0]] = scaled, bias * scale + shift
        elif (after := self._taker_of_inputs(number, layer, scale.numel())) is not None:
            kernel, bias = self._weights(after)
            inputs = kernel.shape[-2]
            wide_scale, wide_shift = (part.repeat(inputs // part.numel()).view(-1, 1) for part in (scale, shift))
            bias = bias + (kernel.cpu().double() * wide_shift).sum(tuple(range(kernel.ndim - 1)))
            self.weights[after] = kernel * wide_scale.to(kernel), bias
        else:
            return
        self.gone.add(number)

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

    def _taker_of_inputs(self, number: int, normalization: Any, channels: int) -> int | None:
        if not on_last_axis(normalization):
            return None
        flat = False
        after = self.followers[number]
        while after is not None and type(self.layers[after]) in _TRANSPARENT:
            between: Any = self.layers[after]
            if not plain(between) or getattr(between, "data_format", "channels_last") != "channels_last":
                return None
            flat = flat or type(between) is Flatten
            after = self.followers[after]
        if after is None or not takes(self.layers[after]) or type(self.layers[after]) in DEPTHWISE:
            return None
        layer: Any = self.layers[after]
        if type(layer) is Dense:
            fits = layer.kernel.shape[0] == channels or (flat and layer.kernel.shape[0] % channels == 0)
        else:
            fits = layer.padding == "valid" and layer.groups == 1 and layer.kernel.shape[-2] == channels
        return after if fits else None
