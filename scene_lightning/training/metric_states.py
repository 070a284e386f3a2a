"""Remembers what metrics have counted so far, so that a validation or a run inside a run can give it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from scene_lightning.metrics import Metric

_OF_EVERY_METRIC = frozenset(vars(Metric()))


class MetricStates:
    """The states of all metrics of a model: torchmetrics' own, and what a user's class keeps as plain attributes.

    Args:
        metrics: whose states to remember.
    """

    def __init__(self, metrics: list[Metric]) -> None:
        self._kept = [(metric, _state_of(metric)) for metric in metrics]

    def give_back(self) -> None:
        """Set each metric to what it had counted."""
        for metric, state in self._kept:
            for name, value in state.items():
                setattr(metric, name, _copied(value))

    def __contains__(self, metric: Metric) -> bool:
        return any(known is metric for known, _ in self._kept)


def metrics_within(module: nn.Module) -> list[Metric]:
    """Every metric among the parts of `module`, each once."""
    return [part for part in module.modules() if isinstance(part, Metric)]


def _state_of(metric: Metric) -> dict[str, Any]:
    states = set(getattr(metric, "_defaults", ()))
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
