"""Convolves with 3x3 kernels of many channels in float32 on the CPU by Winograd's minimal filtering, F(4 x 4, 3 x 3).

A tile of 4x4 outputs takes 36 products a pair of channels instead of 144 (Lavin and Gray, 2016, arXiv:1509.09308). The
tiles of some images at a time are transformed, multiplied with the transformed kernel, one matrix product for each of
the 36 places, and transformed back. Large numbers cancel in that: the error is three to eight times that of oneDNN.
"""

from __future__ import annotations

import functools

import torch
from torch.nn import functional as F

_TILE = 4  # outputs a side; 6 inputs
_MOST_BYTES = 16 * 2**20  # of tiles laid out at a time
_CHANNELS, _TILES = 256, 128  # fewer channels, or tiles in a batch: transforming costs more than it saves
_FEWER_CHANNELS, _LARGE = 128, 28 * 28  # on one side of the kernel, for images of so many outputs
_MOST_WASTE = 1.4  # outputs computed, for each that is wanted

_INPUTS = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_KERNEL = [
    [1 / 4, 0, 0],
    [-1 / 6] * 3,
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_IN_ALL_OUTPUTS = 7  # the place (1, 1): every output of its tile takes it once
_OUTPUTS = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


@functools.cache
def _transformations(dtype: torch.dtype) -> list[torch.Tensor]:
    """Of a tile of inputs, the kernel and a tile of outputs, rows and columns at once."""
    with torch.inference_mode(False):  # kept for trainings, too
        matrices = (torch.tensor(rows, dtype=torch.float64) for rows in (_INPUTS, _KERNEL, _OUTPUTS))
        return [torch.kron(matrix, matrix).to(dtype) for matrix in matrices]


def worth_it(images: torch.Tensor, kernel: torch.Tensor, strides: tuple[int, ...], padding: tuple[int, ...]) -> bool:
    """Whether a convolution is of the kind that is quicker so.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C, KH, KW).
        strides, padding: of the convolution, (vertical, horizontal).
    """
    filters, channels, *window = kernel.shape
    if window != [3, 3] or set(strides) != {1} or max(filters, channels) < _CHANNELS:
        return False
    rows, columns = (side + 2 * pad - 2 for side, pad in zip(images.shape[2:], padding, strict=True))
    fewer = _FEWER_CHANNELS if rows * columns >= _LARGE else _CHANNELS
    tiles = -(-rows // _TILE) * -(-columns // _TILE)
    return (
        min(filters, channels) >= fewer
        and len(images) * tiles >= _TILES
        and tiles * _TILE**2 <= _MOST_WASTE * rows * columns
    )


def conv2d(
    images: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, ...]
) -> torch.Tensor:
    """Convolve as `torch.nn.functional.conv2d` with strides of 1, without gradients.

    Args:
        images: (N, C, H, W).
        kernel: (filters, C, 3, 3).
        bias: (filters,), or None.
        padding: zeros around the images, (vertical, horizontal).

    Returns:
        (N, filters, H', W'), channels_last.
    """
    (count, channels, height, width), filters = images.shape, kernel.shape[0]
    rows, columns = height + 2 * padding[0] - 2, width + 2 * padding[1] - 2
    down, across = -(-rows // _TILE), -(-columns // _TILE)
    below, right = down * _TILE + 2 - height - padding[0], across * _TILE + 2 - width - padding[1]
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, padding[1], right, padding[0], below))
    tiles = padded.unfold(1, 6, _TILE).unfold(2, 6, _TILE).permute(4, 5, 0, 1, 2, 3)  # 6, 6, N, down, across, C
    of_inputs, of_kernel, of_outputs = _transformations(images.dtype)
    weights = (of_kernel @ kernel.permute(2, 3, 1, 0).reshape(9, -1)).view(36, channels, filters)
    outputs = images.new_empty((count, rows, columns, filters))
    bytes_an_image = 36 * down * across * max(channels, filters) * images.element_size()
    at_once = max(1, min(count, _MOST_BYTES // bytes_an_image))
    for first in range(0, count, at_once):
        some = tiles[:, :, first : first + at_once]
        seen = (of_inputs @ some.reshape(36, -1)).view(36, -1, channels)
        summed = torch.bmm(seen, weights)
        if bias is not None:
            summed[_IN_ALL_OUTPUTS] += bias
        made = (of_outputs @ summed.view(36, -1)).view(_TILE, _TILE, *some.shape[2:5], filters)
        whole = made.permute(2, 3, 0, 4, 1, 5).reshape(-1, down * _TILE, across * _TILE, filters)
        outputs[first : first + at_once] = whole[:, :rows, :columns]
    return outputs.permute(0, 3, 1, 2)
