"""Convolutions of sequences, images and volumes, with Keras' kernels (rows, columns, inputs, outputs) and padding.

NHWC tensors are viewed as NCHW for torch, which is then its channels_last memory format: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import positive_int
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    ShapeLike,
    Sizes,
)
from scene_lightning.layers.base.windowed import WindowedLayer, torch_kernel
from scene_lightning.layers.base.windows import from_channels_first, to_channels_first


class Convolution(WindowedLayer):
    """The base of `Conv1D`, `Conv2D` and `Conv3D`: a convolution of any rank.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias: as for
            `Conv2D`.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as for `Conv2D`.
        activity_regularizer, kernel_constraint, bias_constraint: as for `Conv2D`.
        **kwargs: name, dtype and trainable, as for `Layer`.
    """

    _takes_rows_and_columns = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        groups: int = 1,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(filters, "filters")
        self.groups = positive_int(groups, "groups")
        if self.filters % self.groups:
            raise InputError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )
        self._set_window(kernel_size, strides, padding, dilation_rate, data_format)
        self.use_bias = bool(use_bias)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)

    def build(self, input_shape: ShapeLike) -> None:
        depth = self._fix_channels(input_shape)
        if depth % self.groups:
            raise InputError(
                "The number of input channels must be evenly divisible by the number of groups. Received "
                f"groups={self.groups}, but the input has {depth} channels (full input shape is {tuple(input_shape)})."
            )
        self.compute_output_shape(input_shape)
        self.kernel = self._add_kernel("kernel", (*self.kernel_size, depth // self.groups, self.filters))
        self._add_bias_weight(self.filters)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.activation(self.convolve(inputs, self.kernel, self.bias))

    def convolve(
        self,
        inputs: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        function: Callable[..., torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The outputs before the activation, for a kernel and a bias in Keras' shapes; by `function`, as torch's."""
        if self.padding == "valid":
            self.compute_output_shape(inputs.shape)  # an image smaller than the kernel: say so in Keras' words
        images = to_channels_first(as_float(inputs), self.data_format)
        outputs = self._convolve(images, torch_kernel(kernel), bias, self.groups, function)
        return from_channels_first(outputs, self.data_format)


class Conv1D(Convolution):
    """Convolve sequences with learned kernels.

    At every place, each filter gives the sum of the steps under it times its weights, plus a bias. The kernel is not
    flipped; its shape is (steps, channels / groups, filters).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: length of the kernel, in steps.
        strides: distance between two places of the kernel, in steps.
        padding: "valid": none, the output is shorter; "same": zeros on both ends, output steps = ceil(steps / strides);
            "causal": zeros before the first step alone, so that no output sees a later input.
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        dilation_rate: distance between two steps under the kernel; 1: neighbours. Above 1 only with strides of 1.
        groups: number of groups that channels and filters are split into, each convolved by itself; it divides both.
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
        InputError: impossible values, groups that do not divide the channels, or sequences smaller than the kernel.
    """

    rank = 1


class Conv2D(Convolution):
    """Convolve images with learned kernels.

    At every place, each filter gives the sum of the pixels under it times its weights, plus a bias. The kernel is not
    flipped; its shape is (rows, columns, channels / groups, filters).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: rows and columns of the kernel, in pixels; one int for both.
        strides: distance between two places of the kernel, in pixels down and to the right; one int for both.
        padding: "valid": none, output side = floor((side - kernel_size) / strides) + 1; "same": zeros around the image,
            output side = ceil(side / strides), the odd row or column of zeros at the bottom or right.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two pixels under the kernel; 1: neighbours. Above 1 only with strides of 1.
        groups: number of groups that channels and filters are split into, each convolved by itself; it divides both.
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
        InputError: impossible values, groups that do not divide the channels, or images smaller than the kernel.

    Example:
        >>> images = torch.zeros(8, 150, 150, 3)
        >>> keras.layers.Conv2D(32, 3, padding="same", activation="relu")(images).shape
        torch.Size([8, 150, 150, 32])
    """

    rank = 2


class Conv3D(Convolution):
    """Convolve volumes with learned kernels.

    At every place, each filter gives the sum of the voxels under it times its weights, plus a bias. The kernel is not
    flipped; its shape is (depth, rows, columns, channels / groups, filters).

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: depth, rows and columns of the kernel, in voxels; one int for all.
        strides: distance between two places of the kernel, in voxels along each side; one int for all.
        padding: "valid": none, the output is smaller; "same": zeros around the volume, output side = ceil(side /
            strides), the odd zero after.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        dilation_rate: distance between two voxels under the kernel; 1: neighbours. Above 1 only with strides of 1.
        groups: number of groups that channels and filters are split into, each convolved by itself; it divides both.
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
        InputError: impossible values, groups that do not divide the channels, or volumes smaller than the kernel.
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D


__all__ = ["Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D"]
