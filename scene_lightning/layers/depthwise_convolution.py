"""Depthwise and separable convolutions, in one and two dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import activations, constraints, initializers, regularizers
from scene_lightning.layers.base.arguments import as_float, positive_int
from scene_lightning.layers.base.convolve import convolve
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Sizes,
)
from scene_lightning.layers.base.windowed import WindowedLayer, depthwise_kernel, torch_kernel
from scene_lightning.layers.base.windows import (
    channels,
    from_channels_first,
    to_channels_first,
)


class DepthwiseConvolution(WindowedLayer):
    """Each channel convolved apart: (N, ..., C) → (N, ..., C·depth_multiplier); kernel (..., C, depth_multiplier)."""

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier")
        self._set_window(kernel_size, strides, padding, dilation_rate, data_format)
        self._set_bias(use_bias, bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def build(self, input_shape: Any) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, depth, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self._add_bias_weight(depth * self.depth_multiplier)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.activation(self.convolve(inputs, self.kernel, self.bias))

    def convolve(
        self,
        inputs: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        function: Callable[..., torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The outputs before the activation; `function`: see `WindowedLayer._convolve`."""
        images = to_channels_first(as_float(inputs), self.data_format)
        outputs = self._convolve(images, depthwise_kernel(kernel), bias, images.shape[1], function)
        return from_channels_first(outputs, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        depth = channels(input_shape, self.data_format)
        return self._output_shape(input_shape, (depth or 0) * self.depth_multiplier)


class DepthwiseConv1D(DepthwiseConvolution):
    """(N, steps, C) → (N, steps', C·m). Keras: `keras.layers.DepthwiseConv1D`."""

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """(N, H, W, C) → (N, H', W', C·m). Keras: `keras.layers.DepthwiseConv2D`."""

    rank = 2


class SeparableConvolution(WindowedLayer):
    """A depthwise convolution, then a 1x1 convolution: (N, ..., C) → (N, ..., filters)."""

    _takes_rows_and_columns = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(filters, "filters")
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier")
        self._set_window(kernel_size, strides, padding, dilation_rate, data_format)
        self._set_bias(use_bias, bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(*self.kernel_size, depth, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(*(1,) * self.rank, depth * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._add_bias_weight(self.filters)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(as_float(inputs), self.data_format)
        spread = self._convolve(images, depthwise_kernel(self.depthwise_kernel), None, images.shape[1])
        ones = (1,) * self.rank
        outputs = convolve(spread, torch_kernel(self.pointwise_kernel), self.bias, ones, [(0, 0)] * self.rank, ones)
        return self.activation(from_channels_first(outputs, self.data_format))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return self._output_shape(input_shape, self.filters)


class SeparableConv1D(SeparableConvolution):
    """(N, steps, C) → (N, steps', filters). Keras: `keras.layers.SeparableConv1D`."""

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """(N, H, W, C) → (N, H', W', filters). Keras: `keras.layers.SeparableConv2D`."""

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
DepthwiseConvolution2D = DepthwiseConv2D
