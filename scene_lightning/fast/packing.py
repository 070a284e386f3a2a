"""Keeps a convolution's kernel as oneDNN lays it out, while a model predicts a few images at a time in float32.

oneDNN copies a kernel into an order of its own at every call. For one image that can take as long as convolving: in the
last blocks of a ResNet. What a layer works out from the shape of its input is kept, too. The products are as before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.fast import convolution

_MOST_IMAGES = 8  # with more of them the copy counts for nothing


class PackedKernel:
    """The kernel of one layer, for inputs of the last shape: for others it would be laid out otherwise."""

    def __init__(self) -> None:
        self._kernel: torch.Tensor | None = None
        self._made_for: tuple[Any, ...] = ()  # what was convolved with it
        self._options: tuple[Any, ...] = ()
        self._inputs_of_the_layer: tuple[Any, ...] | None = None  # where the layer does no more than convolve them

    def convolve(
        self,
        layer: Any,
        otherwise: Callable[..., torch.Tensor],
        inputs: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        """What `layer.convolve` gives, without gradients.

        Args:
            layer: a Conv2D or DepthwiseConv2D.
            otherwise: takes what `torch.nn.functional.conv2d` takes; called where no kernel is kept.
            inputs: (N, H, W, C).
            kernel: of Keras' shape.
            bias: (filters,), or None.
        """
        if len(inputs) > _MOST_IMAGES or not _undisturbed():
            return layer.convolve(inputs, kernel, bias, otherwise)  # type: ignore[no-any-return]
        given = (_identity(inputs, kernel), layer.strides, layer.padding, layer.dilation_rate, layer.data_format)
        if given == self._inputs_of_the_layer:
            return self._convolved(inputs.movedim(-1, 1), bias).movedim(1, -1)
        self._inputs_of_the_layer = None
        seen: list[torch.Tensor] = []
        outputs: torch.Tensor = layer.convolve(inputs, kernel, bias, functools.partial(self._conv2d, seen, otherwise))
        where = [(images.data_ptr(), images.shape) for images in seen]
        if where == [(inputs.data_ptr(), inputs.movedim(-1, 1).shape)] and layer.data_format == "channels_last":
            self._inputs_of_the_layer = given
        return outputs

    def _conv2d(
        self,
        seen: list[torch.Tensor],
        otherwise: Callable[..., torch.Tensor],
        images: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        strides: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> torch.Tensor:
        """As `torch.nn.functional.conv2d`; adds the images to `seen` if the kernel is kept."""
        options = (padding, strides, dilation, groups)
        if not _worth_it(images, kernel, *options):
            return otherwise(images, kernel, bias, strides, padding, dilation, groups)
        made_for = (_identity(images, kernel), options)
        if self._kernel is None or made_for != self._made_for:
            pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            self._kernel = pack(kernel.to_mkldnn(), *options, images.shape)
            self._made_for, self._options = made_for, (*options, "none", [], "")
        seen.append(images)
        return self._convolved(images, bias)

    def _convolved(self, images: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        outputs: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(images, self._kernel, bias, *self._options)
        return outputs


def _identity(images: torch.Tensor, kernel: torch.Tensor) -> tuple[Any, ...]:
    version = 0 if kernel.is_inference() else kernel._version
    return images.shape, images.dtype, images.device, kernel.data_ptr(), version


def _undisturbed() -> bool:
    """Whether nothing wants to see or change torch's own convolution: a gradient, autocast, a mode that counts."""
    return not (
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or torch._C._len_torch_dispatch_stack()
    )


def _worth_it(
    images: torch.Tensor,
    kernel: torch.Tensor,
    padding: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    return (
        convolution.undilated_on_cpu(images, dilation)
        and min(len(images), len(kernel) - 1) > 0  # layers lay a single filter out anew at each call
        and images.dtype == kernel.dtype == torch.float32
        and _available()
        and not convolution.by_winograd(images, kernel, strides, padding, groups)
    )


def _available() -> bool:
    return bool(
        torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    )
