"""A layer's weights as Keras sees them: names, order, `trainable`, get and set.

`torch.nn.Module` already tracks parameters and sub-modules; Keras adds an order of creation, weights that are not
trained (buffers here), lists of layers as plain attributes, and freezing by `trainable`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from scene_lightning.errors import InputError
from scene_lightning.layers.base.variable import Variable
from scene_lightning.tree import flatten


@dataclass(frozen=True)
class WeightSpec:
    """What belongs to a weight besides its values.

    Args:
        regularizer: gives the penalty on the weight that is added to the loss; None: none.
        constraint: applied to the weight after each training step; None: none.
        trainable: whether training may change it while the layer is trainable.
    """

    regularizer: Callable[[torch.Tensor], torch.Tensor] | None
    constraint: Callable[[torch.Tensor], torch.Tensor] | None
    trainable: bool


class _Budget(threading.local):
    values_left: int | None = None


_budget = _Budget()


@contextmanager
def weight_budget(values: int) -> Iterator[None]:
    """Within the block, layers may make weights of that many values in all: a file's config asks for no more memory
    than the file itself has.

    Args:
        values: number of values, of all weights together.
    """
    before, _budget.values_left = _budget.values_left, values
    try:
        yield
    finally:
        _budget.values_left = before


def spend_budget(shape: tuple[int, ...]) -> None:
    """Before a weight is made. Raises InputError when it is more than `weight_budget` allows.

    Args:
        shape: shape of the weight.
    """
    if _budget.values_left is not None:
        _budget.values_left -= math.prod(shape)
        if _budget.values_left < 0:
            raise InputError(f"more weights than the file holds, the first beyond it of shape {shape}.")


def as_variable(values: torch.Tensor, trainable: bool, name: str | None = None) -> torch.Tensor:
    """A leaf of its own that a layer counts among its weights once it is an attribute of it, as `tf.Variable` is.

    Args:
        values: the first values.
        trainable: whether training changes it; whole numbers have no gradient in any case.
        name: without "/"; None: "variable", "variable_1", …
    """
    return Variable.around(values, name, trainable, trainable and values.is_floating_point())


_PLAIN = {str, int, float, bool, type(None)}


def _is_variable(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and getattr(value, "_is_variable", False)


def _is_tracked(value: Any) -> bool:
    return isinstance(value, nn.Module) or _is_variable(value)


class TrackedList(list[Any]):
    """A list attribute whose layers and variables become those of their owner, also when appended later.

    Args:
        owner: the layer that has the list.
        attribute: the attribute's name, which numbered names of the items begin with.
        items: the first items.
    """

    def __init__(self, owner: Tracking, attribute: str, items: Iterable[Any]) -> None:
        super().__init__()
        self._owner, self._attribute = owner, attribute
        self.extend(items)

    def append(self, item: Any) -> None:
        if isinstance(item, nn.Module):
            self._owner.add_module(f"{self._attribute}_{len(self)}", item)
        elif _is_variable(item):
            self._owner._adopt(f"{self._attribute}_{len(self)}", item)
        super().append(item)

    def extend(self, items: Iterable[Any]) -> None:
        for item in items:
            self.append(item)

    def __iadd__(self, items: Iterable[Any]) -> TrackedList:  # type: ignore[override,misc]
        self.extend(items)
        return self


class Tracking(nn.Module):
    """Mixed into `Layer`: weights in Keras' order and with Keras' meaning of `trainable`."""

    _weight_specs: dict[str, WeightSpec]
    _trainable: bool
    _name: str
    _added_losses: list[torch.Tensor]
    built: bool
    _constructor_arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        # What the constructor was given: lets a user's own class be cloned without a get_config of its own.
        object.__setattr__(layer, "_constructor_arguments", (args, kwargs))
        return layer

    def _init_tracking(self) -> None:
        self._weight_specs = {}  # insertion order is creation order
        self._trainable = True

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) in _PLAIN and name in self.__dict__:  # Lightning notes each hook that it calls: 40 times a step
            return object.__setattr__(self, name, value)
        specs = self.__dict__.get("_weight_specs")
        if specs is not None and isinstance(value, torch.Tensor):
            for known in specs:  # `self.w = self.add_weight(...)`: one weight, under the name the user gives it
                if known != name and getattr(self, known, None) is value:
                    self._rename_weight(known, name)
                    return
            if _is_variable(value) and name not in specs:
                self._adopt(name, value)
                return
            if isinstance(value, Variable) and not value.trainable:  # torch would make a parameter of a buffer
                if name not in specs:
                    object.__setattr__(self, name, value)
                    return
                if self._buffers.get(name) is value:
                    return
        if specs is not None and isinstance(value, list) and not name.startswith("_") and all(map(_is_tracked, value)):
            object.__setattr__(self, name, TrackedList(self, name, value))
            return
        if specs is not None and isinstance(value, dict) and any(isinstance(v, nn.Module) for v in value.values()):
            for key, module in value.items():
                if isinstance(module, nn.Module):
                    self.add_module(f"{name}_{key}".replace(".", "_"), module)
        prop = getattr(type(self), name, None)
        if isinstance(prop, property):
            object.__setattr__(self, name, value)
            return
        super().__setattr__(name, value)

    def _rename_weight(self, old: str, new: str) -> None:
        self._weight_specs = {new if key == old else key: spec for key, spec in self._weight_specs.items()}
        store = self._parameters if old in self._parameters else self._buffers
        self.__dict__.pop(new, None)
        store[new] = store.pop(old)  # type: ignore[assignment]

    def _adopt(self, name: str, variable: torch.Tensor) -> None:
        self.__dict__.pop(name, None)  # a plain `self.bias = None` set before
        if isinstance(variable, Variable) and not variable.trainable:  # as add_weight(trainable=False)
            self.register_buffer(name, variable)
        else:
            self.register_parameter(name, variable)  # type: ignore[arg-type]
        regularizer, constraint = (getattr(variable, key, None) for key in ("_regularizer", "_constraint"))
        self._weight_specs[name] = WeightSpec(regularizer, constraint, variable.requires_grad)

    def _register_weight(self, given_name: str | None, values: torch.Tensor, spec: WeightSpec) -> Any:
        name = given_name or f"weight_{len(self._weight_specs)}"
        unique, count = name.replace(".", "_"), 1
        while hasattr(self, unique) and getattr(self, unique) is not None:
            unique, count = f"{name}_{count}", count + 1
        self.__dict__.pop(unique, None)  # a plain `self.bias = None` set before build
        weight = Variable.around(values, given_name, spec.trainable, spec.trainable and self._trainable)
        weight._regularizer, weight._constraint = spec.regularizer, spec.constraint  # the optimizer applies the latter
        weight._is_variable = False  # it has its place among the weights already
        if spec.trainable:
            self.register_parameter(unique, weight)
        else:
            self.register_buffer(unique, weight)
        self._weight_specs[unique] = spec
        return getattr(self, unique)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        """torch: move or cast all weights; those for which it makes new tensors keep their names."""
        stores: tuple[dict[str, Any], ...] = (self._parameters, self._buffers)
        before = [{name: made for name, made in store.items() if isinstance(made, Variable)} for store in stores]
        super()._apply(fn, recurse)
        for store, named in zip(stores, before, strict=True):
            for name, variable in named.items():
                if store[name] is not variable and store[name] is not None:
                    store[name] = variable.with_values(store[name])
        return self

    # -- names -----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The layer's name, unique within a model."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    # -- sub-layers and weights ------------------------------------------------------------------------------------

    def _sublayers(self) -> Sequence[Tracking]:
        """Layers directly inside this one, in the order in which they were attached."""
        return [child for child in self.children() if isinstance(child, Tracking)]

    def _own_weights(self, trainable: bool) -> list[torch.Tensor]:
        return [getattr(self, name) for name, spec in self._weight_specs.items() if spec.trainable == trainable]

    def _collect(self, trainable: bool) -> list[torch.Tensor]:
        weights = list(self._own_weights(trainable))
        for layer in self._sublayers():
            weights.extend(layer._collect(trainable))
        return _unique(weights)

    @property
    def weights(self) -> list[torch.Tensor]:
        """All weights, layer by layer, each layer's trainable ones before the others (moving statistics)."""
        weights = [*self._own_weights(True), *self._own_weights(False)]
        for layer in self._sublayers():
            weights.extend(layer.weights)
        return _unique(weights)

    @property
    def variables(self) -> list[torch.Tensor]:
        """The same as `weights`. Keras adds the states of seeds, which are no variables here."""
        return self.weights

    @property
    def trainable_weights(self) -> list[torch.Tensor]:
        """The weights that training changes; none while `trainable` is False."""
        if not self.trainable:
            return []
        weights = list(self._own_weights(True))
        for layer in self._sublayers():
            weights.extend(layer.trainable_weights)
        return _unique(weights)

    @property
    def non_trainable_weights(self) -> list[torch.Tensor]:
        """The weights that training does not change: moving statistics, and those of frozen layers."""
        trainable = {id(weight) for weight in self.trainable_weights}
        return [weight for weight in self.weights if id(weight) not in trainable]

    @property
    def trainable_variables(self) -> list[torch.Tensor]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[torch.Tensor]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes this layer. Setting it sets it for all layers inside, as fine-tuning needs."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for name, spec in self._weight_specs.items():
            if spec.trainable:
                getattr(self, name).requires_grad_(self._trainable)
        for layer in self._sublayers():
            layer.trainable = value

    def count_params(self) -> int:
        """Count the numbers in all weights.

        Returns:
            How many there are.

        Raises:
            InputError: the layer is not built.
        """
        if not self.built:
            raise InputError(
                f"You tried to call `count_params` on layer {self._name!r}, but the layer isn't built. "
                "Build it with build(input_shape), or call it on data first."
            )
        return sum(weight.numel() for weight in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """Copy all weights into arrays.

        Returns:
            A list of float arrays, in the order of `weights`: of `Dense` its kernel and its bias.
        """
        return [weight.detach().cpu().numpy().copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the values of all weights.

        Args:
            weights: arrays or tensors, in the order and the shapes of `get_weights`.

        Raises:
            InputError: another number of them, or another shape; then nothing has changed.
        """
        own = self.weights
        if len(own) != len(weights):
            raise InputError(
                f"You called `set_weights(weights)` on layer {self._name!r} with a weight list of length "
                f"{len(weights)}, but the layer was expecting {len(own)} weights."
            )
        arrays = [
            torch.as_tensor(np.asarray(weight.detach().cpu() if isinstance(weight, torch.Tensor) else weight))
            for weight in weights
        ]
        for target, source in zip(own, arrays, strict=True):
            if tuple(target.shape) != tuple(source.shape):
                raise InputError(
                    f"Layer {self._name!r} weight shape {tuple(target.shape)} is not compatible with provided weight "
                    f"shape {tuple(source.shape)}."
                )
        with torch.no_grad():
            for target, source in zip(own, arrays, strict=True):
                target.copy_(source)

    # -- losses ----------------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a term to the loss of the current training step; called within `call`.

        Args:
            loss: scalar tensor, or several.
        """
        self._added_losses.extend(flatten(loss))

    @property
    def losses(self) -> list[torch.Tensor]:
        """Penalties on weights and outputs, and `add_loss` terms, of this layer and those inside it: scalar tensors."""
        losses: list[torch.Tensor] = []
        for module in _parts_of(self):
            if isinstance(module, Tracking):
                losses.extend(module._added_losses)
                for name, spec in module._weight_specs.items():
                    if spec.regularizer is not None and module.trainable:
                        losses.append(spec.regularizer(getattr(module, name)))
        return losses


def _unique(weights: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    seen: set[int] = set()
    return [weight for weight in weights if not (id(weight) in seen or seen.add(id(weight)))]  # type: ignore[func-returns-value]


def clear_added_losses(module: nn.Module) -> None:
    """Forget what `add_loss` gave in the call before, of all layers inside.

    Args:
        module: the model or layer.
    """
    for part in _parts_of(module):
        added = part.__dict__.get("_added_losses")
        if added:
            added.clear()


def _parts_of(module: nn.Module) -> Iterator[nn.Module]:
    """`module.modules()`, in its order, at a third of its time: two walks a training step."""
    seen: set[int] = set()
    ahead: list[nn.Module | None] = [module]
    while ahead:
        part = ahead.pop()
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield part
            ahead.extend(reversed(part._modules.values()))
