"""Targets and predictions in; the one number that training minimises out. Keras: `compile(loss=, loss_weights=)`."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning import losses
from scene_lightning.errors import InputError


class Objective:
    """The loss of a model with one or several outputs.

    Args:
        loss: a name, a loss object or function; a list or dict of them for several outputs.
        loss_weights: a number per output, in the structure of `loss`.
    """

    def __init__(self, loss: Any, loss_weights: Any = None) -> None:
        self.config, self.loss_weights = loss, loss_weights
        if isinstance(loss, dict):
            self._losses: Any = {key: _as_loss(value) for key, value in loss.items()}
        elif isinstance(loss, list | tuple):
            self._losses = [_as_loss(value) for value in loss]
        else:
            self._losses = _as_loss(loss)

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> torch.Tensor:
        """The weighted sum over the outputs: a scalar."""
        if not isinstance(y_pred, dict | list | tuple):
            single = self._losses
            if isinstance(single, list | dict):
                if len(single) != 1:
                    raise InputError(f"compile() was given {len(single)} losses, but the model has one output.")
                single = next(iter(single.values())) if isinstance(single, dict) else single[0]
            if single is None:
                raise InputError("compile() was given no loss: pass loss=... to train or evaluate.")
            return single(_only(y), y_pred, sample_weight)
        total: Any = 0.0
        for key, prediction in y_pred.items() if isinstance(y_pred, dict) else enumerate(y_pred):
            loss = _pick(self._losses, key)
            if loss is None:
                continue
            weight = _pick(self.loss_weights, key)
            value = loss(_pick(y, key), prediction, _pick(sample_weight, key))
            total = total + value * (1.0 if weight is None else weight)
        if not isinstance(total, torch.Tensor):
            raise InputError("compile() was given no loss for any of the model's outputs.")
        return total


def _as_loss(identifier: Any) -> Any:
    loss = losses.get(identifier)
    if loss is None or isinstance(loss, losses.Loss):
        return loss
    return losses.LossFunctionWrapper(loss, name=getattr(loss, "__name__", None))


def _pick(structure: Any, key: Any) -> Any:
    if isinstance(structure, dict):
        return structure.get(key)
    if isinstance(structure, list | tuple):
        return structure[key] if isinstance(key, int) else None
    return structure


def _only(y: Any) -> Any:
    if isinstance(y, dict) and len(y) == 1:
        return next(iter(y.values()))
    return y[0] if isinstance(y, list | tuple) and len(y) == 1 else y
