"""Computes a random stack with plain NCHW torch in float64: outputs and gradients, what ours are held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from random_stacks import Stack
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-3  # of BatchNormalization
Round = Callable[[Tensor], Tensor]


class _Rounded(torch.autograd.Function):
    """A tensor, and its gradient, as they would be after a stay in a narrower type."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.dtype = dtype
        return x.to(dtype).double()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].to(ctx.dtype).double(), None


def rounding(dtype: torch.dtype | None) -> Round:
    """None rounds nothing."""
    return (lambda x: x) if dtype is None else (lambda x: _Rounded.apply(x, dtype))  # type: ignore[no-any-return]


def compute(stack: Stack, weights: list[list[Tensor]], x: Tensor, training: bool, to: Round) -> Tensor:
    """x: (N, C, ...) float64 → the outputs, in the same layout (or (N, units)); `weights` are Keras', in order."""
    for (name, arguments), own in zip(stack.layers, weights, strict=True):
        x = to(_layer(name, arguments, [to(weight) for weight in own], to(x), training))
    return x


def _layer(name: str, arguments: dict[str, Any], weights: list[Tensor], x: Tensor, training: bool) -> Tensor:
    if "Conv" in name:
        return _ACTIVATIONS[arguments.get("activation")](_convolution(name, arguments, weights, x))
    if name == "Activation":
        return _ACTIVATIONS[arguments["activation"]](x)
    if "Global" in name:
        return x.flatten(2).mean(2)
    if "Pooling" in name:
        return _pooling(name, arguments, x)
    if name == "BatchNormalization":
        return _normalization(arguments, weights, x, training)
    if name == "Flatten":
        return x.movedim(1, -1).flatten(1)
    if name == "Dense":
        channels_last = x if x.ndim == 2 else x.movedim(1, -1)
        y = channels_last @ weights[0]
        y = y + weights[1] if len(weights) > 1 else y
        return y if x.ndim == 2 else y.movedim(-1, 1)
    assert name == "Relaid" or (name == "Dropout" and not training), name
    return x


_ACTIVATIONS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: lambda x: x, "relu": torch.relu, "elu": F.elu, "tanh": torch.tanh,
}  # fmt: skip


def _convolution(name: str, arguments: dict[str, Any], weights: list[Tensor], x: Tensor) -> Tensor:
    kernel, strides, dilation = weights[0], arguments["strides"], arguments["dilation_rate"]
    rank = kernel.ndim - 2
    spatial = tuple(range(rank))
    bias = weights[-1] if arguments["use_bias"] else None
    windows = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=False)]
    if "Transpose" in name:
        return _transposed(kernel.permute(rank + 1, rank, *spatial).contiguous(), bias, arguments, windows, x)
    pads = [(0, 0)] * rank
    if arguments["padding"] == "causal":
        pads = [(windows[0] - 1, 0)]
    elif arguments["padding"] == "same":
        totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, s, w in zip(x.shape[2:], strides, windows, strict=True)]
        pads = [(total // 2, total - total // 2) for total in totals]
    x = F.pad(x, [n for pair in reversed(pads) for n in pair])
    function: Any = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    if name.startswith("Conv"):
        groups = arguments.get("groups", 1)
        return function(x, kernel.permute(rank + 1, rank, *spatial).contiguous(), bias, strides, 0, dilation, groups)  # type: ignore[no-any-return]
    own = kernel.permute(rank, rank + 1, *spatial).reshape(-1, 1, *kernel.shape[:rank])
    spread = function(x, own, bias if name.startswith("Depthwise") else None, strides, 0, dilation, x.shape[1])
    if name.startswith("Depthwise"):
        return spread  # type: ignore[no-any-return]
    return function(spread, weights[1].permute(rank + 1, rank, *spatial).contiguous(), bias)  # type: ignore[no-any-return]


def _transposed(
    kernel: Tensor, bias: Tensor | None, arguments: dict[str, Any], windows: list[int], x: Tensor
) -> Tensor:
    """The whole output, then cut: "same" gives n·stride pixels, "valid" n·stride + max(window - stride, 0)."""
    strides, rank = arguments["strides"], len(windows)
    function: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    y = function(x, kernel, None, strides, 0, 0, 1, arguments["dilation_rate"])
    cuts = []
    for stride, window in zip(strides, windows, strict=True):
        total = window - stride if arguments["padding"] == "same" else min(window - stride, 0)
        cuts.append((max(total, 0) // 2, total - max(total, 0) // 2))
    y = F.pad(y, [-n for pair in reversed(cuts) for n in pair])
    return y if bias is None else y + bias.view(-1, *(1,) * rank)  # type: ignore[no-any-return]


def _pooling(name: str, arguments: dict[str, Any], x: Tensor) -> Tensor:
    rank, size = x.ndim - 2, arguments["pool_size"]
    stride = arguments["strides"] or size
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:]]
    pads = [n for total in reversed(totals) for n in (total // 2, total - total // 2)]
    if name.startswith("Max"):
        pool: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
        return pool(F.pad(x, pads, value=-torch.inf), size, stride)  # type: ignore[no-any-return]
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
    return pool(F.pad(x, pads), size, stride) / pool(F.pad(torch.ones_like(x), pads), size, stride)  # type: ignore[no-any-return]


def _normalization(arguments: dict[str, Any], weights: list[Tensor], x: Tensor, training: bool) -> Tensor:
    channels = (1, -1, *(1,) * (x.ndim - 2))
    *learned, mean, variance = weights
    gamma, beta = learned if arguments["scale"] else (torch.ones_like(mean), learned[0])
    if training and arguments["trainable"]:
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance = x.mean(axes), x.var(axes, unbiased=False)
    normalised = (x - mean.view(channels)) / torch.sqrt(variance.view(channels) + EPSILON)
    return normalised * gamma.view(channels) + beta.view(channels)
