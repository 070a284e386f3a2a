"""Remembers what metrics have counted so far, so that a validation or a run inside a run can give it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import nn

from scene_lightning.metrics import Metric, MetricContainer

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


def counted_so_far(container: MetricContainer, attached: list[Any]) -> dict[str, Any]:
    """What the metrics of a training have counted in the epoch that runs, as values that a checkpoint may hold.

    Args:
        container: the compiled metrics and losses.
        attached: metrics that the model or its layers keep.
    """
    return {
        "seen": container.has_seen_batches,
        "loss": _to_plain(container.loss),
        "outputs": {name: _to_plain(loss) for name, loss in container.output_losses.items()},
        "metrics": [_to_plain(metric) for metric in container.metrics],
        "attached": [_to_plain(metric) for metric in attached],
    }


def count_on(container: MetricContainer, attached: list[Any], states: Mapping[str, Any]) -> None:
    """Let metrics go on counting from what a checkpoint holds of them.

    Metrics that the first batch chooses take their part when it has.

    Args:
        container: the compiled metrics and losses.
        attached: metrics that the model or its layers keep.
        states: what `counted_so_far` gave.
    """

    def chosen() -> None:
        for metric, state in zip(container.metrics, states["metrics"], strict=False):
            _take_plain(metric, state)

    container.has_seen_batches = states["seen"]
    _take_plain(container.loss, states["loss"])
    for name, state in states["outputs"].items():
        _take_plain(container.output_loss(name), state)
    for metric, state in zip(attached, states["attached"], strict=False):
        _take_plain(metric, state)
    if container.built:
        chosen()
    else:
        container.when_built = chosen


def _to_plain(metric: Any) -> dict[str, Any]:
    values = {name: _marked(value) for name, value in _state_of(metric).items()}
    return {"values": values, "states": list(getattr(metric, "_defaults", ()))}


def _take_plain(metric: Any, state: Mapping[str, Any]) -> None:
    for name, kept in state["values"].items():
        value = _unmarked(kept, getattr(metric, "device", torch.device("cpu")))
        if name in state["states"] and name not in metric._defaults:  # one that the first batch would make
            metric.add_state(name, torch.zeros_like(value), dist_reduce_fx="sum")
        setattr(metric, name, value)


def _marked(value: Any) -> Any:
    """Arrays and sets, which a checkpoint cannot hold, as what it can."""
    if isinstance(value, np.ndarray):
        return {"as": "array", "of": torch.from_numpy(value.copy())}
    return {"as": "set", "of": list(value)} if isinstance(value, set) else value


def _unmarked(value: Any, device: torch.device) -> Any:
    if isinstance(value, Mapping) and set(value) == {"as", "of"}:
        return value["of"].numpy() if value["as"] == "array" else set(value["of"])
    if isinstance(value, list):
        return [_unmarked(one, device) for one in value]
    return value.to(device) if isinstance(value, torch.Tensor) else value


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
