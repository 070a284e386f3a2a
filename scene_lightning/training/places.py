"""Knows where a model lies, so that a run need not move one that is there already: each `fit` asks for that twice."""

from __future__ import annotations

import lightning as L
import torch
import torchmetrics
from torch import nn

from scene_lightning.layers.base.tracking import Tracking

# Ways to move a module that move what `lies_on` looks at, and no more.
_KNOWN = {nn.Module._apply, Tracking._apply, torchmetrics.Metric._apply}


def lies_on(module: nn.Module, device: torch.device) -> bool:
    """Whether moving a module to `device` would change nothing.

    Args:
        module: the module, with all its parts.
        device: a device with its number, where it has one.
    """
    if type(module)._apply not in _KNOWN:
        return False
    tensors = [*module._parameters.values(), *module._buffers.values()]
    if isinstance(module, (torchmetrics.Metric, L.LightningModule)) and module.device != device:
        return False
    if isinstance(module, torchmetrics.Metric):
        for name in module._defaults:
            state = getattr(module, name)
            tensors += state if isinstance(state, list) else [state]
    for tensor in tensors:
        if tensor is not None and (tensor.device != device or _gradient_elsewhere(tensor, device)):
            return False
    return all(lies_on(part, device) for part in module._modules.values() if part is not None)


def _gradient_elsewhere(tensor: torch.Tensor, device: torch.device) -> bool:
    return tensor.is_leaf and tensor.grad is not None and tensor.grad.device != device
