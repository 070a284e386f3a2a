"""The base of layers that slide a window of weights over an image, and the layout of their kernels for torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import int_tuple, known_axis, layout, padding_name
from scene_lightning.layers.base.convolve import convolve
from scene_lightning.layers.base.phase import state
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike, Sizes
from scene_lightning.layers.base.variable import Variable
from scene_lightning.layers.base.windows import image_shape, output_sides, refuse_channels_first, same_paddings, spatial


class WindowedLayer(StandardLayer):
    """What all convolutions share: rank, windows, layout, the input check and the bias."""

    rank: int
    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: str
    data_format: str
    use_bias: bool
    bias: Any

    def _set_window(
        self, kernel_size: Sizes, strides: Sizes, padding: Any, dilation_rate: Sizes, data_format: Any
    ) -> None:
        self.kernel_size = int_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = int_tuple(strides, self.rank, "strides")
        self.dilation_rate = int_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = padding_name(padding, allow_causal=self.rank == 1)
        self.data_format = layout(data_format)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise InputError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.input_spec = InputSpec(min_ndim=self.rank + 2, max_ndim=self.rank + 2)

    def _build_once(self, input_shape: Any, beside: Any = None) -> None:
        if self.data_format == "channels_last" and not state.depth:  # called by itself: no model knows its input
            refuse_channels_first(input_shape, self.name)
        super()._build_once(input_shape, beside)

    def _fix_channels(self, input_shape: Any) -> int:
        axis = -1 if self.data_format == "channels_last" else 1
        self.input_spec = InputSpec(min_ndim=self.rank + 2, max_ndim=self.rank + 2)
        self.input_spec.check(tuple(input_shape), self.name)
        depth = known_axis(axis, input_shape)
        self.input_spec = _ChannelSpec(self.rank, axis, depth)
        return depth

    def _add_kernel(self, name: str, shape: Shape, options: str | None = None, *, depthwise: bool = False) -> Variable:
        """A kernel of Keras' shape, which lies in memory as torch's convolutions want it: no call has to copy it."""
        kernel = self._add_named_weight(name, shape, options)
        rank = self.rank
        # (outputs, ..., inputs), which is channels_last, or (channels, multiplier, ...)
        order = (rank, rank + 1, *range(rank)) if depthwise else (rank + 1, *range(rank), rank)
        back = [order.index(axis) for axis in range(rank + 2)]
        kernel.data = kernel.data.permute(order).contiguous().permute(back)
        return kernel

    def _add_bias_weight(self, size: int) -> None:
        self.bias = self._add_named_weight("bias", (size,)) if self.use_bias else None

    def _convolve(
        self,
        inputs: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        groups: int,
        function: Callable[..., torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """(N, C, ...) with a torch-ordered kernel (O, I/groups, ...) → (N, O, ...), padded as Keras pads; by
        `function`, which takes what torch's convolutions take."""
        pads = [(0, 0)] * self.rank
        if self.padding == "causal":
            pads = [((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)]
        elif self.padding == "same":
            pads = same_paddings(tuple(inputs.shape[2:]), self.kernel_size, self.strides, self.dilation_rate)
        return convolve(inputs, kernel, bias, self.strides, pads, self.dilation_rate, groups, function)

    def _output_shape(self, input_shape: Any, filters: int) -> Shape:
        sides = output_sides(
            spatial(input_shape, self.data_format), self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        return image_shape(input_shape[0], sides, filters, self.data_format)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self._output_shape(input_shape, self.filters)


class _ChannelSpec(InputSpec):
    """Rank and channels of an image input; says what is wrong with a batch whose channels stand first."""

    def __init__(self, rank: int, axis: int, depth: int) -> None:
        super().__init__(min_ndim=rank + 2, max_ndim=rank + 2, axes={axis: depth})
        self._axis, self._depth = axis, depth

    def check(self, shape: Shape, layer_name: str) -> None:
        try:
            super().check(shape, layer_name)
        except InputError as error:
            other = 1 if self._axis == -1 else -1
            if len(shape) == self.min_ndim and shape[other] == self._depth:
                wanted, seen = ("last", "first") if self._axis == -1 else ("first", "last")
                raise InputError(
                    f"{error} The channels seem to come {seen}: this layer takes them {wanted}. "
                    "Images are (batch, height, width, channels) here, as in Keras; use permute(0, 2, 3, 1), in NumPy "
                    'transpose(0, 2, 3, 1), or data_format="channels_first" in the layers.'
                ) from None
            raise


def torch_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """A view of Keras' kernel (..., inputs, outputs) in torch's order (outputs, inputs, ...).

    Args:
        kernel: tensor of (rows, columns, inputs, outputs), with as many sides as the images have.
    """
    view = kernel.permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
    # One filter: with a batch of one, torch takes a CPU kernel whose backward pass refuses views. The copy is small.
    return view.contiguous() if kernel.shape[-1] == 1 else view


def depthwise_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """Keras' depthwise kernel (..., channels, multiplier) as torch's grouped one, (channels·multiplier, 1, ...).

    Args:
        kernel: tensor of (rows, columns, channels, multiplier), with as many sides as the images have.
    """
    rank = kernel.ndim - 2
    return kernel.permute(rank, rank + 1, *range(rank)).reshape(-1, 1, *kernel.shape[:rank])
