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
    for part in module.modules():
        if type(part)._apply not in _KNOWN:
            return False
        tensors = [*part._parameters.values(), *part._buffers.values()]
        if isinstance(part, torchmetrics.Metric | L.LightningModule) and part.device != device:
            return False
        if isinstance(part, torchmetrics.Metric):
            for name in part._defaults:
                state = getattr(part, name)
                tensors += state if isinstance(state, list) else [state]
        for tensor in tensors:
            if tensor is not None and (tensor.device != device or _gradient_elsewhere(tensor, device)):
                return False
    return True


def _gradient_elsewhere(tensor: torch.Tensor, device: torch.device) -> bool:
    return tensor.is_leaf and tensor.grad is not None and tensor.grad.device != device
