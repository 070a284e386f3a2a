"""Convolves images on the CPU by other ways than oneDNN, where that is slow: in float32 on processors without AVX-512.

Wide kernels are convolved by `winograd`, images' gradients too; kernels' gradients are made by `kernel_gradient`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from scene_lightning.fast import winograd
from scene_lightning.fast.kernel_gradient import kernel_gradient
from scene_lightning.fast.kernel_gradient import worth_it as worth_products


@functools.cache
def _slow_here() -> bool:
    """Whether oneDNN is slow here. On processors with AVX-512 it has not been measured, and is left alone."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def undilated_on_cpu(images: torch.Tensor, dilation: tuple[int, ...]) -> bool:
    """Whether functions of ours can take a convolution from torch: on the CPU, undilated, and not to be traced.

    Args:
        images: (N, C, H, W).
        dilation: of the convolution.
    """
    return (
        images.device.type == "cpu"
        and set(dilation) == {1}
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()  # torch.func.vmap knows no writing into memory
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
    """Convolve as `torch.nn.functional.conv2d`, in the quickest way that is known.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        bias: (filters,), or None.
        strides, padding, dilation: (vertical, horizontal).
        groups: how many parts the channels fall into.
    """
    if (
        not _slow_here()
        or groups != 1
        or not images.dtype == kernel.dtype == torch.float32
        or torch.is_autocast_enabled("cpu")
        or not undilated_on_cpu(images, dilation)
    ):
        return F.conv2d(images, kernel, bias, strides, padding, dilation, groups)  # type: ignore[arg-type]
    if torch.is_grad_enabled():
        given = (images, kernel) if bias is None else (images, kernel, bias)
        learns = kernel.requires_grad and worth_products(images, kernel, strides, padding)
        if learns or (winograd.worth_it(images, kernel, strides, padding) and any(t.requires_grad for t in given)):
            outputs: torch.Tensor = Convolution.apply(images, kernel, bias, strides, padding)
            return outputs
    return _forward(images, kernel, bias, strides, padding)


def by_winograd(
    images: torch.Tensor, kernel: torch.Tensor, strides: tuple[int, ...], padding: tuple[int, ...], groups: int
) -> bool:
    """Whether `conv2d` goes Winograd's way, in float32 on the CPU without dilation.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C / groups, KH, KW).
        strides, padding: (vertical, horizontal).
        groups: how many parts the channels fall into.
    """
    return _slow_here() and groups == 1 and winograd.worth_it(images, kernel, strides, padding)


def _forward(images: Any, kernel: Any, bias: Any, strides: tuple[int, ...], padding: tuple[int, ...]) -> torch.Tensor:
    if winograd.worth_it(images, kernel, strides, padding):
        return winograd.conv2d(images, kernel, bias, padding)
    return F.conv2d(images, kernel, bias, strides, padding)  # type: ignore[arg-type]


class Convolution(torch.autograd.Function):
    """Convolves images (N, C, H, W) with a kernel (filters, C, KH, KW)."""

    @staticmethod
    def forward(images: Any, kernel: Any, bias: Any, strides: Any, padding: Any) -> torch.Tensor:
        return _forward(images, kernel, bias, strides, padding)

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
    # With strides of 1 it is a convolution of the outputs' gradient with the kernel turned round.
    around = tuple(side - 1 - pad for side, pad in zip(kernel.shape[2:], padding, strict=True))
    swapped = kernel.transpose(0, 1)
    once = groups == 1 and not torch.is_grad_enabled()  # no gradient of the gradient will be asked for
    if once and min(around) >= 0 and winograd.worth_it(of_outputs, swapped, strides, around):
        return winograd.conv2d(of_outputs, swapped.flip(2, 3), None, around)
    gradient: torch.Tensor = torch.ops.aten.convolution_backward(
        of_outputs, images, kernel, None, strides, padding, (1, 1), False, (0, 0), groups, (True, False, False)
    )[0]
    return gradient
