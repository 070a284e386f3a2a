"""Computes the gradient of depthwise kernels in bfloat16 on the CPU by matrix products.

oneDNN has no quick way to the gradient of a depthwise kernel above 3x3 in bfloat16: where such layers abound, as in
EfficientNet, half of a training step went there. Here it is one matrix product a row of the kernel: for each channel,
the image's columns against the gradient's, over all images and rows at once; what belongs to the same distance between
columns lies on a diagonal of the product, and is summed there, in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.fast.convolution import image_gradient, undilated_on_cpu

_LEAST_SIDE = 4  # of a kernel: oneDNN is quick up to 3x3


def worth_it(images: torch.Tensor, kernel: torch.Tensor, dilation: tuple[int, ...], groups: int) -> bool:
    """Whether a backward pass will want the gradient of such a kernel, (C, 1, KH, KW), in bfloat16 on the CPU.

    Args:
        images: (N, C, H, W).
        kernel: (C, 1, KH, KW).
        dilation: of the convolution.
        groups: of the convolution.
    """
    autocast = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if autocast else images.dtype
    return (
        torch.is_grad_enabled()
        and kernel.requires_grad
        and undilated_on_cpu(images, dilation)
        and dtype == torch.bfloat16
        and (autocast or kernel.dtype == dtype)
        and torch.float64 not in (images.dtype, kernel.dtype)  # autocast leaves it alone
        and kernel.shape[0] == groups
        and max(kernel.shape[2:]) >= _LEAST_SIDE
    )


def conv2d(
    images: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> torch.Tensor:
    """Convolve as `torch.nn.functional.conv2d`, by `DepthwiseConvolution` where that is worth it.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        bias: (filters,), or None.
        strides, padding, dilation: (vertical, horizontal).
        groups: how many parts the channels fall into.
    """
    if not worth_it(images, kernel, dilation, groups):
        return F.conv2d(images, kernel, bias, strides, padding, dilation, groups)  # type: ignore[arg-type]
    images, kernel = images.to(torch.bfloat16), kernel.to(torch.bfloat16)
    bias = None if bias is None else bias.to(torch.bfloat16)
    outputs: torch.Tensor = DepthwiseConvolution.apply(images, kernel, bias, strides, padding)
    return outputs


class DepthwiseConvolution(torch.autograd.Function):
    """Convolves each channel by itself: images (N, C, H, W), a kernel (C, 1, KH, KW), outputs (N, C, H', W')."""

    @staticmethod
    def forward(ctx: Any, images: Any, kernel: Any, bias: Any, strides: Any, padding: Any) -> torch.Tensor:
        ctx.save_for_backward(images, kernel)
        ctx.strides, ctx.padding = strides, padding
        return F.conv2d(images, kernel, bias, strides, padding, 1, kernel.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor | None, ...]:
        images, kernel = ctx.saved_tensors
        (of_outputs,) = gradients
        of_images = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_images = image_gradient(images, kernel, of_outputs, ctx.strides, ctx.padding, kernel.shape[0])
        if ctx.needs_input_grad[1]:
            gradient = kernel_gradient(images, of_outputs, tuple(kernel.shape[2:]), ctx.strides, ctx.padding)
            of_kernel = gradient.to(kernel.dtype)
        if ctx.needs_input_grad[2]:
            of_bias = of_outputs.sum((0, 2, 3), dtype=torch.float32).to(of_outputs.dtype)
        return of_images, of_kernel, of_bias, None, None


def kernel_gradient(
    images: torch.Tensor,
    of_outputs: torch.Tensor,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: tuple[int, ...],
) -> torch.Tensor:
    """The gradient (C, 1, KH, KW) of a depthwise kernel, in float32.

    Args:
        images: (N, C, H, W).
        of_outputs: the gradient (N, C, H', W') of the outputs.
        kernel_size, strides, padding: (vertical, horizontal).
    """
    count, channels, height, width = images.shape
    _, _, rows, columns = of_outputs.shape
    (top, left), (down, across) = padding, strides
    padded = images.new_zeros((channels, height + 2 * top, count, width + 2 * left))
    padded[:, top : top + height, :, left : left + width] = images.permute(1, 2, 0, 3)
    wide = padded.shape[-1]
    wanted = of_outputs.permute(1, 2, 0, 3).reshape(channels, rows * count, columns)
    gradient = torch.empty((channels, 1, *kernel_size), dtype=torch.float32, device=images.device)
    for i in range(kernel_size[0]):
        seen = padded[:, i : i + down * (rows - 1) + 1 : down].reshape(channels, rows * count, wide)
        product = torch.bmm(seen.transpose(1, 2), wanted)  # (C, wide, columns)
        diagonals = product.as_strided(
            (channels, kernel_size[1], columns), (wide * columns, columns, across * columns + 1)
        )
        gradient[:, 0, i] = diagonals.sum(-1, dtype=torch.float32)
    return gradient
