"""Trains a frozen BatchNormalization inside the weights of the layer before it.

With known statistics BatchNormalization is a·x + b for each channel, which a convolution or Dense layer without
activation takes into its filters and bias. Prediction does it once (`folding`). In training a layer that is frozen
(`trainable = False`) uses its moving statistics too: there the filters are scaled anew at each step, so that their
gradients are those of the layers as they stand; a pass over each activation less, forward and back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning.fast import convolution, depthwise
from scene_lightning.fast.packing import PackedKernel
from scene_lightning.layers import Conv1D, Conv2D, Conv3D, Dense, DepthwiseConv1D, DepthwiseConv2D
from scene_lightning.layers.base.layer import Layer

CONVOLUTIONS = (Conv1D, Conv2D, Conv3D)
DEPTHWISE = (DepthwiseConv1D, DepthwiseConv2D)
QUICKER = {Conv2D: convolution.conv2d, DepthwiseConv2D: depthwise.conv2d}


def watched(layer: Layer) -> bool:
    """Whether somebody looks at what this layer gives, or changes it: a hook, a penalty on its output, another `call`.

    Args:
        layer: the layer.
    """
    heard = layer._forward_hooks or layer._forward_pre_hooks or layer.activity_regularizer is not None
    return bool(heard or "call" in layer.__dict__)


def plain(layer: Layer) -> bool:
    """Whether nobody would notice that the layer is not called as it stands.

    Args:
        layer: the layer.
    """
    return not watched(layer) and layer._explicit_dtype is None


def takes(layer: Any) -> bool:
    """Whether a layer is linear but for its activation, and can be called with other weights.

    Args:
        layer: the layer.
    """
    if type(layer) is not Dense and type(layer) not in (*CONVOLUTIONS, *DEPTHWISE):
        return False
    return plain(layer) and layer.built and getattr(layer, "data_format", "channels_last") == "channels_last"


def on_last_axis(normalization: Any) -> bool:
    """Whether a built BatchNormalization normalises the channels of NHWC.

    Args:
        normalization: the layer.
    """
    return normalization.axis in (-1, normalization.input_spec.ndim - 1)


def can_scale_outputs(layer: Any, normalization: Any) -> bool:
    """Whether the layer's weights can take in the normalisation of its outputs.

    Args:
        layer: a layer whose outputs are normalised.
        normalization: the BatchNormalization after it.
    """
    return takes(layer) and layer.activation is activations.linear and on_last_axis(normalization)


def outputs_scaled(layer: Any, kernel: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """A kernel whose outputs (..., C) are scaled channel by channel.

    Args:
        layer: the kernel's layer.
        kernel: its weights.
        scale: (C,), factors.
    """
    return kernel * (scale.view(kernel.shape[-2:]) if type(layer) in DEPTHWISE else scale)


def output_channels(layer: Any, kernel: torch.Tensor) -> int:
    """The length of the layer's bias.

    Args:
        layer: a convolution or Dense.
        kernel: its weights.
    """
    return int(kernel.shape[-1] * kernel.shape[-2] if type(layer) in DEPTHWISE else kernel.shape[-1])


def product(layer: Any, packed: PackedKernel | None = None) -> Callable[..., torch.Tensor]:
    """A function of inputs, kernel and bias: what a layer gives before its activation, with these weights for its own.

    Args:
        layer: a convolution or Dense.
        packed: what keeps the kernel from one call to the next; None where it may change between them.
    """
    if type(layer) in QUICKER:
        function = QUICKER[type(layer)]
        if packed is not None:
            return functools.partial(packed.convolve, layer, function)
        return functools.partial(layer.convolve, function=function)
    operation: Callable[..., torch.Tensor] = layer.project if type(layer) is Dense else layer.convolve
    return operation


def frozen(layer: Any, normalization: Any) -> bool:
    """Whether a BatchNormalization keeps its statistics in training, and the layer before it can take it in.

    Args:
        layer: all that the normalization sees.
        normalization: the BatchNormalization.
    """
    return (
        not normalization.trainable
        and normalization.built
        and torch.is_grad_enabled()
        and plain(normalization)
        and can_scale_outputs(layer, normalization)
    )


def normalised(layer: Any, normalization: Any) -> Callable[[Any], Any]:
    """What to call for a layer: its outputs normalised, with gradients for all that learns.

    Args:
        layer: a convolution or Dense.
        normalization: the frozen BatchNormalization after it.
    """

    def compute(inputs: torch.Tensor) -> torch.Tensor:
        scale = torch.rsqrt(normalization.moving_variance + normalization.epsilon)
        scale = scale if normalization.gamma is None else scale * normalization.gamma
        shift = -normalization.moving_mean if layer.bias is None else layer.bias - normalization.moving_mean
        shift = shift * scale if normalization.beta is None else shift * scale + normalization.beta
        return product(layer)(inputs, outputs_scaled(layer, layer.kernel, scale), shift)

    return lambda inputs: layer.run(compute, inputs)
