"""Images in; depthwise, separable and transposed convolutions of them out. Keras: "Convolution layers"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from scene_lightning import activations, constraints, initializers, regularizers
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float, int_tuple, positive_int
from scene_lightning.layers.base.convolve import convolve, convolve_transposed
from scene_lightning.layers.base.windows import (
    Shape,
    channels,
    from_channels_first,
    image_shape,
    spatial,
    to_channels_first,
)
from scene_lightning.layers.convolution import WindowedLayer, depthwise_kernel, torch_kernel


class DepthwiseConvolution(WindowedLayer):
    """Each channel convolved apart: (N, ..., C) → (N, ..., C·depth_multiplier); kernel (..., C, depth_multiplier)."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
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
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
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
        outputs = convolve(
            spread, torch_kernel(self.pointwise_kernel), self.bias, ones, [(0, 0)] * self.rank, ones
        )
        return self.activation(from_channels_first(outputs, self.data_format))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return self._output_shape(input_shape, self.filters)


class SeparableConv1D(SeparableConvolution):
    """(N, steps, C) → (N, steps', filters). Keras: `keras.layers.SeparableConv1D`."""

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """(N, H, W, C) → (N, H', W', filters). Keras: `keras.layers.SeparableConv2D`."""

    rank = 2


class TransposedConvolution(WindowedLayer):
    """The gradient of a convolution, which enlarges: (N, ..., C) → (N, ..., filters); kernel (..., filters, C).

    Output sides: "same" n·stride; "valid" n·stride + max(kernel - stride, 0); with `output_padding`
    (n - 1)·stride + kernel - 2·pad + output_padding, where pad is kernel // 2 for "same" and 0 for "valid".
    """

    _takes_rows_and_columns = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("output_shape", None)  # Keras 1 asked for it; it follows from the rest
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(filters, "filters")
        self._set_window(kernel_size, strides, padding, dilation_rate, data_format)
        self._set_bias(use_bias, bias_initializer, bias_regularizer, bias_constraint)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = int_tuple(output_padding, self.rank, "output_padding", allow_zero=True)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides, strict=True)):
                raise InputError(
                    "`output_padding` must be strictly less than `strides` for all dimensions. "
                    f"Received: output_padding={self.output_padding}, strides={self.strides}"
                )
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: Any) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.filters, depth),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias_weight(self.filters)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(as_float(inputs), self.data_format)
        kernel = torch_kernel(self.kernel).contiguous()
        outputs = convolve_transposed(images, kernel, self.bias, self.strides, self._crops(), self.dilation_rate)
        return self.activation(from_channels_first(outputs, self.data_format))

    def _crops(self) -> list[tuple[int, int]]:
        """For each side, how much of the full output is cut before and after (negative: zeros are added)."""
        extras: Sequence[int | None] = self.output_padding or (None,) * self.rank
        return [
            _transposed_crop((k - 1) * d + 1, s, self.padding, extra)
            for k, s, d, extra in zip(self.kernel_size, self.strides, self.dilation_rate, extras, strict=True)
        ]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = [
            None if n is None else (n - 1) * s + (k - 1) * d + 1 - before - after
            for n, k, s, d, (before, after) in zip(
                spatial(input_shape, self.data_format),
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                self._crops(),
                strict=True,
            )
        ]
        if any(n is not None and n <= 0 for n in sides):
            raise InputError(
                f"Layer {self.name!r} would give images of sides {sides}. Received: input_shape={tuple(input_shape)}, "
                f"kernel_size={self.kernel_size}, padding={self.padding!r}, output_padding={self.output_padding}"
            )
        return image_shape(input_shape[0], sides, self.filters, self.data_format)


def _transposed_crop(window: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """Keras' rule as TensorFlow computes it: the odd pixel is cut after."""
    if padding == "valid":
        return 0, -(max(stride - window, 0) if extra is None else extra)
    total = stride + window - 2 if extra is None else window + window % 2 - 2 + extra
    before = min(total - total // 2, window - 1)
    return window - 1 - before, window - 1 - (total - before)


class Conv1DTranspose(TransposedConvolution):
    """(N, steps, C) → (N, steps', filters). Keras: `keras.layers.Conv1DTranspose`."""

    rank = 1


class Conv2DTranspose(TransposedConvolution):
    """(N, H, W, C) → (N, H', W', filters). Keras: `keras.layers.Conv2DTranspose`."""

    rank = 2


class Conv3DTranspose(TransposedConvolution):
    """(N, D, H, W, C) → (N, D', H', W', filters). Keras: `keras.layers.Conv3DTranspose`."""

    rank = 3


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
DepthwiseConvolution2D = DepthwiseConv2D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
Deconvolution2D = Conv2DTranspose
