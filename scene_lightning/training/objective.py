"""Computes the one number that training minimises, from targets and outputs. Keras: `compile(loss=, loss_weights=)`."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning import losses
from scene_lightning.errors import InputError
from scene_lightning.tree import flatten


class Objective:
    """The loss of a model with one or several outputs.

    Args:
        loss: a name, a loss object or function; a list or dict of them for several outputs.
        loss_weights: a number per output, in the structure of `loss`.
        output_names: names of the outputs, so that dicts can be used for outputs that come as a list.

    Attributes:
        parts: after a call, each output's own loss by name; empty for one output.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: list[str] | None = None) -> None:
        self.loss_weights, self._names = loss_weights, output_names
        self.parts: dict[str, torch.Tensor] = {}
        self._losses = loss
        self._resolved: dict[Any, Any] = {}
        for identifier in flatten(loss):
            _check(identifier)

    @property
    def wants_nothing(self) -> bool:
        """Whether no loss was given, so that targets are not missed."""
        return all(identifier is None for identifier in flatten(self._losses))

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
            return self._loss_for("", single, _only(y), y_pred)(_only(y), y_pred, sample_weight)
        total: Any = 0.0
        self.parts = {}
        for position, (name, prediction) in enumerate(self._named(y_pred)):
            identifier, target = _pick(self._losses, name, position), _pick(y, name, position)
            if identifier is None:
                continue
            loss = self._loss_for(name, identifier, target, prediction)
            value = loss(target, prediction, _pick(sample_weight, name, position))
            weight = _pick(self.loss_weights, name, position)
            self.parts[name] = value
            total = total + value * (1.0 if weight is None else weight)
        if not isinstance(total, torch.Tensor):
            raise InputError("compile() was given no loss for any of the model's outputs.")
        return total

    def _loss_for(self, name: str, identifier: Any, y: Any, y_pred: Any) -> Any:
        """The loss object; 'crossentropy' chooses its kind by the shapes of the first batch."""
        if name not in self._resolved:
            self._resolved[name] = losses.get_for(identifier, y, y_pred)
        return self._resolved[name]

    def _named(self, y_pred: Any) -> list[tuple[str, Any]]:
        if isinstance(y_pred, dict):
            return list(y_pred.items())
        names = self._names if self._names and len(self._names) == len(y_pred) else None
        return list(zip(names or [f"output_{i}" for i in range(len(y_pred))], y_pred, strict=True))


def _check(identifier: Any) -> None:
    """Raise InputError for an unknown name now, not at the first batch."""
    if not (isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")):
        losses.get(identifier)


def _pick(structure: Any, name: str, position: int) -> Any:
    if isinstance(structure, dict):
        return structure.get(name)
    return structure[position] if isinstance(structure, list | tuple) else structure


def _only(y: Any) -> Any:
    if isinstance(y, dict) and len(y) == 1:
        return next(iter(y.values()))
    return y[0] if isinstance(y, list | tuple) and len(y) == 1 else y
