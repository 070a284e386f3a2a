"""Takes the largest of each 2x2 window by comparing whole rows, then columns, while a model predicts.

torch's max-pooling also notes, in 64 bits a value, where each maximum was, which only a backward pass asks for. Without
one, two passes of `maximum` over blocks that stay in the cache give the same values with a third of the memory traffic.
"""

from __future__ import annotations

from typing import Any

import torch

_BLOCK = 2**21  # values of the images that are pooled at once
_LEAST_CHANNELS = 16  # fewer do not fill the processor's vectors


def worth_it(pool: Any, images: torch.Tensor) -> bool:
    """Whether `largest_of_windows` gives what the layer would, sooner.

    Args:
        pool: a `MaxPooling2D`.
        images: its input.
    """
    return (
        images.device.type == "cpu"
        and images.dtype in (torch.float32, torch.bfloat16)
        and not (torch.is_grad_enabled() and images.requires_grad)
        and (pool.pool_size, pool.strides, pool.data_format) == ((2, 2), (2, 2), "channels_last")
        and (pool.padding == "valid" or images.shape[1] % 2 == images.shape[2] % 2 == 0)
        and images.shape[-1] % _LEAST_CHANNELS == 0
        and images.numel() >= _BLOCK
        and images.is_contiguous()
        and not (torch.compiler.is_compiling() or torch.jit.is_tracing())
    )


def largest_of_windows(images: torch.Tensor) -> torch.Tensor:
    """Max-pool with windows and strides of 2x2; what is left over at the right and below counts for nothing.

    Args:
        images: (N, H, W, C).

    Returns:
        (N, H // 2, W // 2, C).
    """
    count, height, width, channels = images.shape
    images = images[:, : height // 2 * 2, : width // 2 * 2]
    step = max(1, _BLOCK // (height * width * channels))
    pooled = images.new_empty(count, height // 2, width // 2, channels)
    rows = images.new_empty(step, height // 2, width // 2 * 2, channels)
    for images_part, pooled_part in zip(images.split(step), pooled.split(step), strict=True):
        part = rows[: len(images_part)]
        torch.maximum(images_part[:, 0::2], images_part[:, 1::2], out=part)
        torch.maximum(part[:, :, 0::2], part[:, :, 1::2], out=pooled_part)
    return pooled
