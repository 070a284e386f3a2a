"""Images in; convolved images out, with Keras' kernels (HWIO) and Keras' padding. Keras: "Convolution layers".

NHWC tensors are viewed as NCHW for torch, which is then its channels_last memory format: nothing is copied.
"""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning import activations, constraints, initializers, regularizers
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float, positive_int
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Sizes,
)
from scene_lightning.layers.base.windowed import WindowedLayer, torch_kernel
from scene_lightning.layers.base.windows import (
    from_channels_first,
    to_channels_first,
)


class Convolution(WindowedLayer):
    """A convolution of any rank: (N, ..., C) → (N, ..., filters).

    Args:
        filters: output channels.
        kernel_size, strides, dilation_rate: an int for all sides or one int a side; strides and dilation exclude each
            other.
        padding: "valid", or "same" (output side = ceil(side / stride), the odd pixel of padding after); Conv1D also
            takes "causal".
        groups: the channels are split in so many groups, convolved apart.

    Raises:
        InputError: impossible values; channels or filters that `groups` does not divide; too small an image.
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
        self._set_bias(use_bias, bias_initializer, bias_regularizer, bias_constraint)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: Any) -> None:
        depth = self._fix_channels(input_shape)
        if depth % self.groups:
            raise InputError(
                "The number of input channels must be evenly divisible by the number of groups. Received "
                f"groups={self.groups}, but the input has {depth} channels (full input shape is {tuple(input_shape)})."
            )
        self.compute_output_shape(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, depth // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias_weight(self.filters)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.activation(self.convolve(inputs, self.kernel, self.bias))

    def convolve(self, inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The outputs before the activation."""
        if self.padding == "valid":
            self.compute_output_shape(inputs.shape)  # an image smaller than the kernel: say so in Keras' words
        images = to_channels_first(as_float(inputs), self.data_format)
        outputs = self._convolve(images, torch_kernel(kernel), bias, self.groups)
        return from_channels_first(outputs, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return self._output_shape(input_shape, self.filters)


class Conv1D(Convolution):
    """(N, steps, C) → (N, steps', filters). Keras: `keras.layers.Conv1D`; arguments as for `Convolution`."""

    rank = 1


class Conv2D(Convolution):
    """(N, H, W, C) → (N, H', W', filters). Keras: `keras.layers.Conv2D`; arguments as for `Convolution`."""

    rank = 2


class Conv3D(Convolution):
    """(N, D, H, W, C) → (N, D', H', W', filters). Keras: `keras.layers.Conv3D`; arguments as for `Convolution`."""

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
