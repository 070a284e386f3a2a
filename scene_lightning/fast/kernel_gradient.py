"""The gradient of convolutions' kernels in float32 by matrix products.

With AVX2, the instructions of processors without AVX-512, oneDNN takes two to three times as long for a kernel's
gradient as for the convolution itself, and adds up so many numbers one after another that its error is ten times that
of a matrix product. Here the pixels under each window are laid side by side, for some images at a time, and multiplied
with the gradient of the outputs. Narrow layers, where the laying out costs more than the products, go torch's way.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

_MOST_BYTES = 32 * 2**20  # of pixels laid out at a time
_MANY_CHANNELS, _CHANNELS, _PLACES = 64, 32, 1_000  # with fewer channels or outputs an image there is nothing to gain
_MOST_PIXELS = 9  # under a window: of larger ones each pixel is laid out too often


def worth_it(images: torch.Tensor, kernel: torch.Tensor, strides: tuple[int, ...], padding: tuple[int, ...]) -> bool:
    """Whether the gradient of such a kernel had better be computed so.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C, KH, KW).
        strides, padding: of the convolution, (vertical, horizontal).
    """
    if not 1 < kernel.shape[2] * kernel.shape[3] <= _MOST_PIXELS:
        return False
    places = 1
    for side, window, stride, pad in zip(images.shape[2:], kernel.shape[2:], strides, padding, strict=True):
        places *= (side + 2 * pad - window) // stride + 1
    channels = min(kernel.shape[:2])
    return channels >= _MANY_CHANNELS or (channels >= _CHANNELS and places >= _PLACES)


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
