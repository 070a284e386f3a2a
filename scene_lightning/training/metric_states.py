"""Remembers what metrics have counted so far, so that a validation or a run inside a run can give it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import nn

from scene_lightning.metrics import Metric

_OF_EVERY_METRIC = frozenset(vars(Metric()))
_OF_TORCHMETRICS = {"_update_count", "_computed"}  # how often it was updated, and the result that it remembers


class MetricStates:
    """The states of all metrics of a model: torchmetrics' own, and what a user's class keeps as plain attributes.

    Args:
        metrics: whose states to remember.
    """

    def __init__(self, metrics: list[torchmetrics.Metric]) -> None:
        self._kept = [(metric, _state_of(metric)) for metric in metrics]

    def give_back(self) -> None:
        """Set each metric to what it had counted."""
        for metric, state in self._kept:
            for name, value in state.items():
                setattr(metric, name, _copied(value))

    def __contains__(self, metric: torchmetrics.Metric) -> bool:
        return any(known is metric for known, _ in self._kept)


def metrics_within(module: nn.Module) -> list[torchmetrics.Metric]:
    """Every metric among the parts of `module`, torchmetrics' own too, each once.

    Args:
        module: the module to look through.
    """
    return [part for part in module.modules() if isinstance(part, torchmetrics.Metric)]


def _state_of(metric: torchmetrics.Metric) -> dict[str, Any]:
    states = {*getattr(metric, "_defaults", ()), *_OF_TORCHMETRICS}
    return {
        name: _copied(value)
        for name, value in vars(metric).items()
        if name in states or (name not in _OF_EVERY_METRIC and isinstance(value, _COUNTS))
    }


_COUNTS = (torch.Tensor, np.ndarray, int, float, list, dict, set, type(None))


def _copied(value: Any) -> Any:
    """A copy that later updates of the original do not reach: tensors and arrays change in place."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray | list | dict | set) else value
