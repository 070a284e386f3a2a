"""Transposed convolutions, which enlarge images, in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import int_tuple, positive_int
from scene_lightning.layers.base.convolve import convolve_transposed
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    ShapeLike,
    Sizes,
)
from scene_lightning.layers.base.windowed import WindowedLayer, torch_kernel
from scene_lightning.layers.base.windows import from_channels_first, image_shape, spatial, to_channels_first


class _TransposedConvolution(WindowedLayer):
    """The base of `Conv1DTranspose`, `Conv2DTranspose` and `Conv3DTranspose`: the gradient of a convolution, which
    enlarges.
    """

    _takes_rows_and_columns = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        output_padding: Sizes | None = None,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("output_shape", None)  # Keras 1 asked for it; it follows from the rest
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(filters, "filters")
        self._set_window(kernel_size, strides, padding, dilation_rate, data_format)
        self.use_bias = bool(use_bias)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = int_tuple(output_padding, self.rank, "output_padding", allow_zero=True)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides, strict=True)):
                raise InputError(
                    "`output_padding` must be strictly less than `strides` for all dimensions. "
                    f"Received: output_padding={self.output_padding}, strides={self.strides}"
                )
        self.activation = activations.get(activation)
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)

    def build(self, input_shape: ShapeLike) -> None:
        depth = self._fix_channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._add_named_weight("kernel", (*self.kernel_size, self.filters, depth))
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

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
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


class Conv1DTranspose(_TransposedConvolution):
    """Enlarge sequences by a transposed convolution with learned kernels.

    The gradient of a convolution, also called deconvolution: each step spreads over the output as the kernel says,
    `strides` apart. The kernel's shape is (steps, filters, channels).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: length of the kernel, in steps.
        strides: how many times larger the output is along each side; one int for all.
        padding: "same": output side = side·strides; "valid": side·strides + max(kernel_size - strides, 0).
        output_padding: steps added to one end of each side, less than `strides`: the side is then (side - 1)·strides +
            kernel_size - 2·pad + output_padding, where pad is kernel_size // 2 for "same" and 0 for "valid". None: the
            sides that `padding` says.
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        dilation_rate: distance between two steps that one input reaches; 1: neighbours. Above 1 only with strides of 1.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, new_steps, filters), or (batch, filters, new_steps) with "channels_first".

    Raises:
        InputError: impossible values, or an output without steps.
    """

    rank = 1


class Conv2DTranspose(_TransposedConvolution):
    """Enlarge images by a transposed convolution with learned kernels.

    The gradient of a convolution, also called deconvolution: each pixel spreads over the output as the kernel says,
    `strides` apart. The kernel's shape is (rows, columns, filters, channels).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: rows and columns of the kernel, in pixels; one int for both.
        strides: how many times larger the output is along each side; one int for all.
        padding: "same": output side = side·strides; "valid": side·strides + max(kernel_size - strides, 0).
        output_padding: pixels added to one end of each side, less than `strides`: the side is then (side - 1)·strides +
            kernel_size - 2·pad + output_padding, where pad is kernel_size // 2 for "same" and 0 for "valid". None: the
            sides that `padding` says.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two pixels that one input reaches; 1: neighbours. Above 1 only with strides of
            1.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, new_height, new_width, filters), or (batch, filters, new_height, new_width) with "channels_first".

    Raises:
        InputError: impossible values, or an output without pixels.
    """

    rank = 2


class Conv3DTranspose(_TransposedConvolution):
    """Enlarge volumes by a transposed convolution with learned kernels.

    The gradient of a convolution, also called deconvolution: each voxel spreads over the output as the kernel says,
    `strides` apart. The kernel's shape is (depth, rows, columns, filters, channels).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: depth, rows and columns of the kernel, in voxels; one int for all.
        strides: how many times larger the output is along each side; one int for all.
        padding: "same": output side = side·strides; "valid": side·strides + max(kernel_size - strides, 0).
        output_padding: voxels added to one end of each side, less than `strides`: the side is then (side - 1)·strides +
            kernel_size - 2·pad + output_padding, where pad is kernel_size // 2 for "same" and 0 for "valid". None: the
            sides that `padding` says.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two voxels that one input reaches; 1: neighbours. Above 1 only with strides of
            1.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        (batch, new_depth, new_height, new_width, filters), or (batch, filters, new_depth, new_height, new_width) with
        "channels_first".

    Raises:
        InputError: impossible values, or an output without voxels.
    """

    rank = 3


Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
Deconvolution2D = Conv2DTranspose


__all__ = [
    "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Convolution1DTranspose", "Convolution2DTranspose",
    "Convolution3DTranspose", "Deconvolution2D",
]  # fmt: skip
