"""Keeps decoded images on the device, where batches are picked from them.

A data set of uint8 images that fits beside the network is copied to the GPU once; afterwards a batch is an index, and
nothing crosses the bus but labels and random numbers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scene_lightning.data.sources import ArraySource, ImageSource

LARGEST_SHARE = 0.4  # of the device's free memory: the rest is for weights and activations


def can_reside(source: ImageSource, device: torch.device) -> bool:
    """Whether `device` is a GPU with room for all of these images, and they are decoded already.

    Args:
        source: the images.
        device: where they would lie.
    """
    if device.type != "cuda" or not isinstance(source, ArraySource):
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return source.images.nbytes <= LARGEST_SHARE * free


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
