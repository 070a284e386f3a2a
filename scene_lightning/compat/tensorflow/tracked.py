"""Lists by path the values that a `tf.train` checkpoint holds of models, optimizers, metrics and variables.

An optimizer's slots are kept beside the path of the weight that each belongs to, as TensorFlow keeps them, so that
they find their weights again in whatever order these are trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from scene_lightning._usage_report import ledger
from scene_lightning.compat.tensorflow.module import Module
from scene_lightning.errors import InputError
from scene_lightning.layers import Layer
from scene_lightning.metrics import Metric
from scene_lightning.metrics.variable import MetricVariable
from scene_lightning.optimizers import Optimizer, ScalarVariable
from scene_lightning.utils.dataset import Dataset


class Tracked:
    """The values of objects, by path, as `collect` lists them.

    Attributes:
        tensors: path → tensor.
        scalars: path → a variable on the host.
        metrics: path → a metric's state.
        optimizers: path → optimizer.
        waiting: path → a model whose weights do not exist yet.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.scalars: dict[str, ScalarVariable] = {}
        self.metrics: dict[str, MetricVariable] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self.waiting: dict[str, Any] = {}

    def values(self) -> dict[str, Any]:
        """Copies of all values: tensors, numbers and lists only."""
        paths = {id(tensor): path for path, tensor in self.tensors.items()}
        slots = {
            name: [
                (paths[id(weight)], slot, optimizer.state[weight][slot].detach().cpu().clone())
                for weight, slot in optimizer._order
                if id(weight) in paths
            ]
            for name, optimizer in self.optimizers.items()
        }
        tensors = {**self.tensors, **{path: state.value for path, state in self.metrics.items()}}
        return {
            "tensors": {path: tensor.detach().cpu().clone() for path, tensor in tensors.items()},
            "scalars": {path: scalar.numpy().item() for path, scalar in self.scalars.items()},
            "slots": slots,
        }

    def load(self, content: Mapping[str, Any]) -> list[str]:
        """Set everything that `content` (of `values`) has a value for. Returns the paths that it lacks.

        Raises:
            InputError: a shape differs.
        """
        stored = {**content["tensors"], **content["scalars"]}
        missing = [path for path in (*self.tensors, *self.scalars, *self.metrics) if path not in stored]
        _set(self.tensors, content["tensors"])
        variables: dict[str, ScalarVariable | MetricVariable] = {**self.scalars, **self.metrics}
        for path, variable in variables.items():
            if path in stored:
                variable.assign(stored[path])
        if self.waiting:
            for path, model in self.waiting.items():
                _once_built(path, model, content, self.optimizers)
        else:
            _load_slots(self.optimizers, self.tensors, content["slots"])
        return missing


def _set(tensors: Mapping[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for path, tensor in tensors.items():
            if path not in values:
                continue
            if values[path].shape != tensor.shape:
                raise InputError(
                    f"The checkpoint's {path} has shape {tuple(values[path].shape)}; expected {tuple(tensor.shape)}."
                )
            tensor.copy_(values[path])


def _load_slots(optimizers: Mapping[str, Optimizer], tensors: Mapping[str, torch.Tensor], slots: Any) -> None:
    for name, optimizer in optimizers.items():
        saved = [item for item in slots.get(name, ()) if item[0] in tensors]
        new = dict.fromkeys(path for path, _, _ in saved)
        if new:
            optimizer.build([tensors[path] for path in new])
        for path, slot, value in saved:
            kept = optimizer.state[tensors[path]].get(slot)
            if kept is not None and kept.shape == value.shape:
                kept.copy_(value)


def _once_built(path: str, model: Any, content: Any, optimizers: Mapping[str, Optimizer]) -> None:
    """After the first call, which makes the weights: set them, and call again."""

    def restore(_: Any, args: Any, kwargs: Any, output: Any) -> Any:
        handle.remove()
        tensors = dict(_weights(path, model))
        _set(tensors, content["tensors"])
        _load_slots(optimizers, tensors, content["slots"])
        return model(*args, **kwargs)

    handle = model.register_forward_hook(restore, with_kwargs=True)


def _weights(path: str, layer: Any) -> Iterator[tuple[str, torch.Tensor]]:
    return ((f"{path}/{number}", weight) for number, weight in enumerate(layer.weights))


def collect(objects: Mapping[str, Any]) -> Tracked:
    """Finds everything with a value in objects, by path.

    Args:
        objects: name → model, optimizer, metric, variable, or nest of those.

    Raises:
        InputError: an object that holds no variables.
    """
    tracked, seen = Tracked(), set()

    def visit(path: str, value: Any) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, Layer):
            if not getattr(value, "built", True):
                tracked.waiting[path] = value
            tracked.tensors.update(_weights(path, value))
            if getattr(value, "optimizer", None) is not None:
                visit(f"{path}/optimizer", value.optimizer)
        elif isinstance(value, Optimizer):
            tracked.optimizers[path] = value
            for number, variable in enumerate(value.variables):
                if isinstance(variable, ScalarVariable):
                    tracked.scalars[f"{path}/{number}"] = variable
        elif isinstance(value, Metric):
            states = [name for name in value._defaults if isinstance(getattr(value, name), torch.Tensor)]
            tracked.metrics.update((f"{path}/{name}", MetricVariable(value, name, name)) for name in states)
        elif isinstance(value, torch.Tensor):
            tracked.tensors[path] = value
        elif isinstance(value, ScalarVariable):
            tracked.scalars[path] = value
        elif isinstance(value, Dataset | Iterator):
            ledger.ignore("tf.train.Checkpoint(iterator=...)", "a restored run reads its data from the beginning")
        elif isinstance(value, Mapping | list | tuple):
            for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
                visit(f"{path}/{key}", item)
        elif hasattr(value, "_tracked") or isinstance(value, Module):
            visit(path, {key: item for key, item in vars(value).items() if _holds_values(item)})
        else:
            raise InputError(
                "tf.train.Checkpoint was expecting "
                f"{path} to hold variables (a model, an optimizer, a metric, tf.Variable); received {value!r}."
            )

    for key, value in objects.items():
        visit(key, value)
    return tracked


def _holds_values(value: Any) -> bool:
    kinds = (Layer, Optimizer, Metric, torch.Tensor, ScalarVariable, Module, list, tuple, dict)
    return isinstance(value, kinds) or hasattr(value, "_tracked")
