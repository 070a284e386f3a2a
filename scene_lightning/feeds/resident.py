"""Keeps decoded images and arrays on the device, where batches are picked from them.

A data set that fits beside the network is copied to the GPU once; afterwards a batch is an index, and nothing crosses
the bus but what is small: positions, random numbers, labels of images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning.data.sources import ArraySource, ImageSource
from scene_lightning.feeds.tensors import to_tensor

LARGEST_SHARE = 0.4  # of the device's free memory: the rest is for weights and activations
_PICKED = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool, torch.float16, torch.float32,
           torch.float64, torch.bfloat16}  # fmt: skip
_AT_A_TIME = 2**26  # bytes


def has_room(size: int, device: torch.device) -> bool:
    """Whether `device` is a GPU that so many bytes of data may lie on.

    Args:
        size: how many.
        device: where they would lie.
    """
    return device.type == "cuda" and size <= LARGEST_SHARE * torch.cuda.mem_get_info(device)[0]


def can_reside(source: ImageSource, device: torch.device) -> bool:
    """Whether `device` is a GPU with room for all of these images, and they are decoded already.

    Args:
        source: the images.
        device: where they would lie.
    """
    return isinstance(source, ArraySource) and has_room(source.images.nbytes, device)


def copy_to(source: ImageSource, device: torch.device, chunk: int = 1024) -> Tensor:
    """Copy all images of `source`, in its order, to one tensor (N, H, W, C) on `device`.

    Args:
        source: the images.
        device: where they are to lie.
        chunk: how many are read at a time.
    """
    pixels = np.empty((min(chunk, len(source)), *source.shape), source.dtype)
    resident = torch.empty((len(source), *source.shape), dtype=torch.from_numpy(pixels).dtype, device=device)
    for start in range(0, len(source), chunk):
        positions = np.arange(start, min(start + chunk, len(source)))
        source.read_into(positions, pixels[: len(positions)])
        resident[start : start + len(positions)] = torch.from_numpy(pixels[: len(positions)])
    return resident


def bytes_of(leaves: list[Any]) -> int | None:
    """How many bytes arrays and tensors take on a device; None where batches of one cannot be picked there.

    Args:
        leaves: the arrays, with samples along the first axis; None counts nothing.
    """
    size = 0
    for leaf in leaves:
        if leaf is None:
            continue
        one = leaf if isinstance(leaf, Tensor) else to_tensor(leaf[:1])
        if type(one) is not Tensor or one.layout != torch.strided or one.requires_grad or one.dtype not in _PICKED:
            return None
        size += leaf.nbytes if isinstance(leaf, Tensor) else one.nbytes * len(leaf)
    return size


def copy_array_to(leaf: Any, device: torch.device) -> Tensor | None:
    """Copy an array or tensor to one tensor on `device`, in parts, with the dtype of its batches; None stays None.

    Args:
        leaf: the array, with samples along the first axis.
        device: where it is to lie.
    """
    if leaf is None or isinstance(leaf, Tensor):
        return leaf if leaf is None else leaf.to(device)
    first = to_tensor(leaf[:1])
    resident = torch.empty((len(leaf), *first.shape[1:]), dtype=first.dtype, device=device)
    chunk = max(1, _AT_A_TIME // max(1, first.nbytes))
    for start in range(0, len(leaf), chunk):
        resident[start : start + chunk] = to_tensor(leaf[start : start + chunk])
    return resident
