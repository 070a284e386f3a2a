"""Puts batches into page-locked memory, from where they cross to a GPU while the host goes on.

A copy from ordinary memory makes the host wait until the GPU has done what was asked of it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

_ALIGNED = 16  # bytes; a view as another dtype must begin at a multiple of its size


def can_pin(device: torch.device) -> bool:
    """Whether batches for a device may lie in page-locked memory: asking for that would wake a GPU that nobody uses.

    Args:
        device: where batches go.
    """
    return device.type == "cuda" and torch.cuda.is_available()


def pinned_empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Allocate a tensor on the host, page-locked.

    Args:
        shape: its shape.
        dtype: its dtype.
    """
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=True)


def pinned(value: Any) -> Any:
    """Copy a tensor of the host to page-locked memory; anything else, and what lies there already, stays as it is.

    Args:
        value: a tensor, or a leaf of a batch of another kind.
    """
    plain = type(value) is Tensor and value.device.type == "cpu" and value.layout == torch.strided
    return value.pin_memory() if plain and not value.requires_grad else value


class Packed:
    """Small arrays side by side in one page-locked block, which is copied to a device at once.

    Args:
        arrays: what it holds, by name: arrays or tensors on the host.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any] | Tensor]) -> None:
        tensors = {name: torch.as_tensor(one) for name, one in arrays.items()}
        self._places: dict[str, tuple[int, int, torch.dtype, torch.Size]] = {}
        end = 0
        for name, one in tensors.items():
            self._places[name] = end, one.nbytes, one.dtype, one.shape
            end += -(-one.nbytes // _ALIGNED) * _ALIGNED
        self._block = pinned_empty((end,), torch.uint8)
        for name, one in tensors.items():
            self.get(name).copy_(one)

    def get(self, name: str, default: Any = None) -> Any:
        """A view of the block, as the tensor of a name.

        Args:
            name: of the array.
            default: what comes back where there is none.
        """
        if name not in self._places:
            return default
        start, size, dtype, shape = self._places[name]
        return self._block[start : start + size].view(dtype).view(shape)

    def to(self, device: Any, non_blocking: bool = True) -> Packed:
        """The same on `device`, by one copy."""
        moved = object.__new__(Packed)
        moved._block, moved._places = self._block.to(device, non_blocking=non_blocking), self._places
        return moved

    def holds(self, name: str, tensor: Any) -> bool:
        """Whether a tensor still is what this holds under a name, and was neither replaced nor converted since.

        Args:
            name: of the array.
            tensor: the tensor, on the host.
        """
        if name not in self._places or not isinstance(tensor, Tensor):
            return False
        start, _, dtype, shape = self._places[name]
        return tensor.data_ptr() == self._block.data_ptr() + start and (tensor.dtype, tensor.shape) == (dtype, shape)
