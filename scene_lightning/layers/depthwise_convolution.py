"""Depthwise and separable convolutions, in one and two dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.layers.base.arguments import positive_int
from scene_lightning.layers.base.convolve import convolve
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    ShapeLike,
    Sizes,
)
from scene_lightning.layers.base.windowed import WindowedLayer, depthwise_kernel, torch_kernel
from scene_lightning.layers.base.windows import channels, from_channels_first, to_channels_first


class DepthwiseConvolution(WindowedLayer):
    """The base of `DepthwiseConv1D` and `DepthwiseConv2D`: each channel convolved by itself.

    Args:
        kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate: as for `DepthwiseConv2D`.
        activation, use_bias: as for `DepthwiseConv2D`.
        depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer: as for `DepthwiseConv2D`.
        activity_regularizer, depthwise_constraint, bias_constraint: as for `DepthwiseConv2D`.
        **kwargs: name, dtype and trainable, as for `Layer`.
    """

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
        self.use_bias = bool(use_bias)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self._set_options("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)

    def build(self, input_shape: ShapeLike) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._add_kernel(
            "kernel", (*self.kernel_size, depth, self.depth_multiplier), "depthwise", depthwise=True
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

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        depth = channels(input_shape, self.data_format)
        return self._output_shape(input_shape, (depth or 0) * self.depth_multiplier)


class DepthwiseConv1D(DepthwiseConvolution):
    """Convolve each channel of sequences by itself.

    Every channel has `depth_multiplier` kernels of its own and no other channel enters its outputs. The kernel's shape
    is (steps, channels, depth_multiplier).

    Args:
        kernel_size: length of the kernel, in steps.
        strides: distance between two places of the kernel, in steps.
        padding: "valid": none, the output is shorter; "same": zeros on both ends, output steps = ceil(steps / strides);
            "causal": zeros before the first step alone, so that no output sees a later input.
        depth_multiplier: number of output channels for each input channel.
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        dilation_rate: distance between two steps under the kernel; 1: neighbours. Above 1 only with strides of 1.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        depthwise_initializer, bias_initializer: how the first values are made: a name, an object or a function; by
            default Glorot uniform for the kernel and zeros for the bias.
        depthwise_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a
            function; None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        depthwise_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an
            object or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, new_steps, channels·depth_multiplier), or (batch, channels·depth_multiplier, new_steps) with
        "channels_first".

    Raises:
        InputError: impossible values, or sequences smaller than the kernel.
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """Convolve each channel of images by itself.

    Every channel has `depth_multiplier` kernels of its own and no other channel enters its outputs. The kernel's shape
    is (rows, columns, channels, depth_multiplier).

    Args:
        kernel_size: rows and columns of the kernel, in pixels; one int for both.
        strides: distance between two places of the kernel, in pixels down and to the right; one int for both.
        padding: "valid": none, output side = floor((side - kernel_size) / strides) + 1; "same": zeros around the image,
            output side = ceil(side / strides), the odd row or column of zeros at the bottom or right.
        depth_multiplier: number of output channels for each input channel.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two pixels under the kernel; 1: neighbours. Above 1 only with strides of 1.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        depthwise_initializer, bias_initializer: how the first values are made: a name, an object or a function; by
            default Glorot uniform for the kernel and zeros for the bias.
        depthwise_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a
            function; None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        depthwise_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an
            object or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, new_height, new_width, channels·depth_multiplier), or (batch, channels·depth_multiplier, new_height,
        new_width) with "channels_first".

    Raises:
        InputError: impossible values, or images smaller than the kernel.
    """

    rank = 2


class _SeparableConvolution(WindowedLayer):
    """The base of `SeparableConv1D` and `SeparableConv2D`: a depthwise convolution, then a 1 x 1 convolution."""

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
        self.use_bias = bool(use_bias)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self._set_options("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._set_options("pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)

    def build(self, input_shape: ShapeLike) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.depthwise_kernel = self._add_kernel(
            "depthwise_kernel", (*self.kernel_size, depth, self.depth_multiplier), "depthwise", depthwise=True
        )
        self.pointwise_kernel = self._add_kernel(
            "pointwise_kernel", (*(1,) * self.rank, depth * self.depth_multiplier, self.filters), "pointwise"
        )
        self._add_bias_weight(self.filters)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(as_float(inputs), self.data_format)
        spread = self._convolve(images, depthwise_kernel(self.depthwise_kernel), None, images.shape[1])
        ones = (1,) * self.rank
        outputs = convolve(spread, torch_kernel(self.pointwise_kernel), self.bias, ones, [(0, 0)] * self.rank, ones)
        return self.activation(from_channels_first(outputs, self.data_format))


class SeparableConv1D(_SeparableConvolution):
    """Convolve each channel of sequences by itself, then mix the channels.

    A depthwise convolution and a convolution of kernel size 1 (the pointwise one) after it: most of what `Conv1D` does,
    with far fewer weights. Bias and activation follow the second. Source: Chollet 2017 (arXiv:1610.02357).

    Args:
        filters: number of filters of the pointwise convolution, the channels of the output.
        kernel_size: length of the kernel, in steps.
        strides: distance between two places of the kernel, in steps.
        padding: "valid": none, the output is shorter; "same": zeros on both ends, output steps = ceil(steps / strides);
            "causal": zeros before the first step alone, so that no output sees a later input.
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        dilation_rate: distance between two steps under the kernel; 1: neighbours. Above 1 only with strides of 1.
        depth_multiplier: number of channels that the depthwise convolution makes of each input channel.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the first values are made: a name, an object
            or a function; by default Glorot uniform for the kernels and zeros for the bias.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2",
            an object or a function; None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        depthwise_constraint, pointwise_constraint, bias_constraint: what is applied to the weight after each training
            step: "non_neg", an object or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, new_steps, filters), or (batch, filters, new_steps) with "channels_first".

    Raises:
        InputError: impossible values, or sequences smaller than the kernel.
    """

    rank = 1


class SeparableConv2D(_SeparableConvolution):
    """Convolve each channel of images by itself, then mix the channels.

    A depthwise convolution and a convolution of kernel size 1 (the pointwise one) after it: most of what `Conv2D` does,
    with far fewer weights. Bias and activation follow the second. Source: Chollet 2017 (arXiv:1610.02357).

    Args:
        filters: number of filters of the pointwise convolution, the channels of the output.
        kernel_size: rows and columns of the kernel, in pixels; one int for both.
        strides: distance between two places of the kernel, in pixels down and to the right; one int for both.
        padding: "valid": none, output side = floor((side - kernel_size) / strides) + 1; "same": zeros around the image,
            output side = ceil(side / strides), the odd row or column of zeros at the bottom or right.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two pixels under the kernel; 1: neighbours. Above 1 only with strides of 1.
        depth_multiplier: number of channels that the depthwise convolution makes of each input channel.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the first values are made: a name, an object
            or a function; by default Glorot uniform for the kernels and zeros for the bias.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2",
            an object or a function; None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        depthwise_constraint, pointwise_constraint, bias_constraint: what is applied to the weight after each training
            step: "non_neg", an object or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, new_height, new_width, filters), or (batch, filters, new_height, new_width) with "channels_first".

    Raises:
        InputError: impossible values, or images smaller than the kernel.
    """

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
DepthwiseConvolution2D = DepthwiseConv2D


__all__ = [
    "DepthwiseConv1D", "DepthwiseConv2D", "DepthwiseConvolution2D", "SeparableConv1D", "SeparableConv2D",
    "SeparableConvolution1D", "SeparableConvolution2D",
]  # fmt: skip
