"""Keeps a convolution's kernel as oneDNN lays it out, while a model predicts a few images at a time in float32.

oneDNN copies a kernel into an order of its own at every call. For one image that can take as long as convolving: in the
last blocks of a ResNet. What a layer works out from the shape of its input is kept, too. Equal to rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from scene_lightning.fast import convolution

_MOST_IMAGES = 8  # with more of them the copy counts for nothing


class _Packed(NamedTuple):
    """What is kept; made whole, since batches may be computed in several threads.

    Attributes:
        made_for: what was convolved.
        kernel: as oneDNN lays it out.
        options: what oneDNN convolves with.
        given: the inputs of the layer, where it does no more than convolve them; else None.
    """

    made_for: tuple[Any, ...]
    kernel: torch.Tensor
    options: tuple[Any, ...]
    given: tuple[Any, ...] | None

    def convolved(self, images: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        outputs: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(images, self.kernel, bias, *self.options)
        return outputs


class PackedKernel:
    """The kernel of one layer, for inputs of the last shape: for others it would be laid out otherwise."""

    def __init__(self) -> None:
        self._kept: _Packed | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedKernel, ()  # oneDNN's tensors cannot be copied, and another process may lay them out otherwise

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
        kept = self._kept
        given = (_identity(inputs, kernel), layer.strides, layer.padding, layer.dilation_rate, layer.data_format)
        if kept is not None and kept.given == given:
            return kept.convolved(inputs.movedim(-1, 1), bias).movedim(1, -1)
        used: list[tuple[torch.Tensor, _Packed]] = []
        outputs: torch.Tensor = layer.convolve(inputs, kernel, bias, functools.partial(self._conv2d, used, otherwise))
        where = [(images.data_ptr(), images.shape) for images, _ in used]
        if where == [(inputs.data_ptr(), inputs.movedim(-1, 1).shape)] and layer.data_format == "channels_last":
            self._kept = used[0][1]._replace(given=given)
        return outputs

    def _conv2d(
        self,
        used: list[tuple[torch.Tensor, _Packed]],
        otherwise: Callable[..., torch.Tensor],
        images: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        strides: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> torch.Tensor:
        """As `torch.nn.functional.conv2d`; adds images and kernel to `used` if the kernel is kept."""
        options = (padding, strides, dilation, groups)
        if not _worth_it(images, kernel, *options):
            return otherwise(images, kernel, bias, strides, padding, dilation, groups)
        kept, made_for = self._kept, (_identity(images, kernel), options)
        if kept is None or kept.made_for != made_for:
            pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            packed = pack(kernel.to_mkldnn(), *options, images.shape)
            kept = self._kept = _Packed(made_for, packed, (*options, "none", [], ""), None)
        used.append((images, kept))
        return kept.convolved(images, bias)


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
