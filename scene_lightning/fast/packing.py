"""Keeps a convolution's kernel as oneDNN lays it out, while a model predicts a few images at a time in float32.

oneDNN copies a kernel into an order of its own at every call. For one image that can take as long as convolving: in the
last blocks of a ResNet. The products are the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.fast import convolution

_MOST_IMAGES = 8  # with more of them the copy counts for nothing


class PackedKernel:
    """A kernel for images of one shape: for others it would be laid out otherwise."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._kernel: torch.Tensor | None = None

    def conv2d(
        self,
        otherwise: Callable[..., torch.Tensor],
        images: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        strides: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> torch.Tensor:
        """Convolve as `torch.nn.functional.conv2d`, without gradients.

        Args:
            otherwise: what to call where nothing is to be kept, with the other arguments.
            images: (N, C, H, W).
            kernel: (filters, C / groups, KH, KW).
            bias: (filters,), or None.
            strides, padding, dilation: (vertical, horizontal).
            groups: how many parts the channels fall into.
        """
        if not _worth_it(images, kernel, strides, padding, dilation, groups):
            return otherwise(images, kernel, bias, strides, padding, dilation, groups)
        version = 0 if kernel.is_inference() else kernel._version
        key = (images.shape, strides, padding, kernel.data_ptr(), version)
        if self._kernel is None or self._key != key:
            packed = torch._C._nn.mkldnn_reorder_conv2d_weight(
                kernel.to_mkldnn(), padding, strides, dilation, groups, images.shape
            )
            self._key, self._kernel = key, packed
        outputs: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            images, self._kernel, bias, padding, strides, dilation, groups, "none", [], ""
        )
        return outputs


def _worth_it(
    images: torch.Tensor,
    kernel: torch.Tensor,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    return (
        convolution.undilated_on_cpu(images, dilation)
        and not torch.is_grad_enabled()
        and torch._C._len_torch_dispatch_stack() == 0  # a mode that counts or changes operations knows torch's own
        and 0 < len(images) <= _MOST_IMAGES
        and len(kernel) > 1  # layers lay a single filter out anew at each call
        and images.dtype == kernel.dtype == torch.float32
        and _available()
        and not torch.is_autocast_enabled("cpu")
        and not convolution.by_winograd(images, kernel, strides, padding, groups)
    )


def _available() -> bool:
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    )
