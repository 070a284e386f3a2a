"""Gives a module back its own dtypes after a run in which Lightning converted its weights.

"64-true" and "bf16-true" convert the weights themselves, and Lightning leaves them so. In Keras a policy of the run is
no property of the weights: the next `predict` or `save` finds float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def dtypes_of(module: nn.Module) -> list[tuple[nn.Module, str, torch.dtype]]:
    """The dtype of each floating parameter and buffer, by the module that has it and its name there.

    Args:
        module: the module to look through.
    """
    return [
        (owner, name, tensor.dtype)
        for owner in module.modules()
        for name, tensor in [*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)]
        if tensor.is_floating_point()
    ]


@torch.no_grad()
def give_back(dtypes: list[tuple[nn.Module, str, torch.dtype]]) -> None:
    """Convert what is of another dtype now; the parameters stay the same objects, for optimizers know them.

    Args:
        dtypes: what `dtypes_of` gave.
    """
    for owner, name, dtype in dtypes:
        tensor = getattr(owner, name, None)
        if isinstance(tensor, torch.Tensor) and tensor.dtype != dtype:
            tensor.grad = None
            tensor.data = tensor.data.to(dtype)


@torch.no_grad()
def convert_slots(optimizer: Any) -> None:
    """The optimizer's slots take on the dtypes of their weights.

    Args:
        optimizer: a torch optimizer whose parameters have been converted.
    """
    for weight, slots in getattr(optimizer, "state", {}).items():
        for slot in slots.values():
            if not isinstance(slot, torch.Tensor) or (slot.ndim == 0 and weight.ndim):  # torch's step count
                continue
            if slot.is_floating_point() and slot.dtype != weight.dtype:
                slot.data = slot.data.to(weight.dtype)
