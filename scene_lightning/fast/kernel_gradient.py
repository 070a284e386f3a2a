"""Computes the gradient of convolutions' kernels in float32 on the CPU by matrix products.

With AVX2, the instructions of processors without AVX-512, oneDNN takes two to three times as long for a kernel's
gradient as for the convolution itself, and adds up so many numbers one after another that its error is ten times that
of a matrix product. Here the pixels under each window are laid side by side, for some images at a time, and multiplied
with the gradient of the outputs. Narrow layers, where the laying out costs more than the products, go torch's way.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

_MOST_BYTES = 32 * 2**20  # of pixels laid out at a time
_MANY_CHANNELS, _CHANNELS, _PLACES = 64, 32, 1_000  # with fewer channels or outputs an image there is nothing to gain
_MOST_PIXELS = 9  # under a window: of larger ones each pixel is laid out too often


@functools.cache
def _slow_here() -> bool:
    """Whether oneDNN is slow here. On processors with AVX-512 it has not been measured, and is left alone."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def learns_on_cpu(images: torch.Tensor, kernel: torch.Tensor, dilation: tuple[int, ...]) -> bool:
    """Whether torch will ask a function of ours for the gradient of an undilated kernel, on the CPU.

    Args:
        images: (N, C, H, W).
        kernel: the kernel.
        dilation: of the convolution.
    """
    return (
        images.device.type == "cpu"
        and torch.is_grad_enabled()
        and kernel.requires_grad
        and set(dilation) == {1}
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()  # torch.func.vmap knows no writing into memory
    )


def worth_it(
    images: torch.Tensor,
    kernel: torch.Tensor,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    """Whether a backward pass will want the gradient of such a kernel, and had better compute it so.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        strides, padding, dilation: of the convolution, (vertical, horizontal).
        groups: of the convolution.
    """
    if not (
        _slow_here()
        and learns_on_cpu(images, kernel, dilation)
        and images.dtype == kernel.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and groups == 1
        and 1 < kernel.shape[2] * kernel.shape[3] <= _MOST_PIXELS
    ):
        return False
    places = 1
    for side, window, stride, pad in zip(images.shape[2:], kernel.shape[2:], strides, padding, strict=True):
        places *= (side + 2 * pad - window) // stride + 1
    channels = min(kernel.shape[:2])
    return channels >= _MANY_CHANNELS or (channels >= _CHANNELS and places >= _PLACES)


def conv2d(
    images: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> torch.Tensor:
    """Convolve as `torch.nn.functional.conv2d`, by `Convolution` where that is worth it.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        bias: (filters,), or None.
        strides, padding, dilation: (vertical, horizontal).
        groups: how many parts the channels fall into.
    """
    if not worth_it(images, kernel, strides, padding, dilation, groups):
        return F.conv2d(images, kernel, bias, strides, padding, dilation, groups)  # type: ignore[arg-type]
    outputs: torch.Tensor = Convolution.apply(images, kernel, bias, strides, padding)
    return outputs


class Convolution(torch.autograd.Function):
    """Convolves images (N, C, H, W) with a kernel (filters, C, KH, KW)."""

    @staticmethod
    def forward(images: Any, kernel: Any, bias: Any, strides: Any, padding: Any) -> torch.Tensor:
        return F.conv2d(images, kernel, bias, strides, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        images, kernel, _, ctx.strides, ctx.padding = inputs
        ctx.save_for_backward(images, kernel)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor | None, ...]:
        images, kernel = ctx.saved_tensors
        (of_outputs,) = gradients
        of_images = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_images = image_gradient(images, kernel, of_outputs, ctx.strides, ctx.padding)
        if ctx.needs_input_grad[1]:
            twice = torch.is_grad_enabled()  # a gradient of the gradient will be asked for
            compute = conv2d_weight if twice else kernel_gradient
            of_kernel = compute(images, kernel.shape, of_outputs, ctx.strides, ctx.padding)
        if ctx.needs_input_grad[2]:
            of_bias = of_outputs.sum((0, 2, 3))
        return of_images, of_kernel, of_bias, None, None


def image_gradient(
    images: torch.Tensor,
    kernel: torch.Tensor,
    of_outputs: torch.Tensor,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
    groups: int = 1,
) -> torch.Tensor:
    """The gradient of the images, in the memory format of theirs, which `torch.nn.grad.conv2d_input` does not know.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        of_outputs: the gradient (N, filters, H', W') of the outputs.
        strides, padding: (vertical, horizontal).
        groups: how many parts the channels fall into.
    """
    gradient: torch.Tensor = torch.ops.aten.convolution_backward(
        of_outputs, images, kernel, None, strides, padding, (1, 1), False, (0, 0), groups, (True, False, False)
    )[0]
    return gradient


def kernel_gradient(
    images: torch.Tensor,
    shape: tuple[int, ...],
    of_outputs: torch.Tensor,
    strides: tuple[int, ...],
    padding: tuple[int, ...],
) -> torch.Tensor:
    """The gradient of a kernel, with its channels last in memory.

    Args:
        images: (N, C, H, W).
        shape: of the kernel, (filters, C, KH, KW).
        of_outputs: the gradient (N, filters, H', W') of the outputs.
        strides, padding: (vertical, horizontal).
    """
    (top, left), (filters, channels, high, wide) = padding, shape
    count, _, rows, columns = of_outputs.shape
    padded = F.pad(images, (left, left, top, top)) if top or left else images
    windows = padded.permute(0, 2, 3, 1).unfold(1, high, strides[0]).unfold(2, wide, strides[1])
    windows = windows[:, :rows, :columns].permute(0, 1, 2, 4, 5, 3)  # N, H', W', KH, KW, C
    wanted = of_outputs.permute(0, 2, 3, 1)
    bytes_an_image = rows * columns * high * wide * channels * images.element_size()
    at_once = max(1, min(count, _MOST_BYTES // bytes_an_image))
    laid = images.new_empty((at_once, *windows.shape[1:]))
    gradient = images.new_zeros((filters, high * wide * channels))
    for first in range(0, count, at_once):
        some = windows[first : first + at_once]
        side_by_side = laid[: len(some)].copy_(some).view(-1, gradient.shape[1])
        gradient.addmm_(wanted[first : first + at_once].reshape(-1, filters).t(), side_by_side)
    return gradient.view(filters, high, wide, channels).permute(0, 3, 1, 2)
