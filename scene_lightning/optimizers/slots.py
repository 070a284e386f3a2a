"""Keeps what an optimizer stores for each weight, listed and loaded in Keras' order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.optimizers.variable import ScalarVariable


class Slots(dict[str, Tensor]):
    """One weight's slots. Writing to a known name moves the values, so whoever holds the tensor sees the change."""

    def __setitem__(self, name: str, value: Tensor) -> None:
        known = self.get(name)
        if isinstance(known, Tensor) and known.shape == value.shape and known is not value:
            known.data = value.data
        else:
            super().__setitem__(name, value)


class SlotStore:
    """Mixed into `Optimizer`: makes slots when weights are first seen and lists them as Keras does."""

    slot_blocks: Sequence[tuple[str, ...]] = ()
    slot_start: dict[str, float] = {}  # slot name → starting value, where it is not zero
    name: str
    use_ema: bool
    gradient_accumulation_steps: int | None
    _iterations: ScalarVariable
    _learning_rate: Any

    def _init_slots(self) -> None:
        self.built = False
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(Slots)
        self._params: list[Tensor] = []
        self._index: dict[Tensor, int] = {}
        self._order: list[tuple[Tensor, str]] = []

    def build(self, variables: Iterable[Any]) -> None:
        """Make the slots of these weights; those already known keep theirs.

        Args:
            variables: weights (parameters).
        """
        new = [variable for variable in variables if variable not in self._index]
        for variable in new:
            self._index[variable] = len(self._params)
            self._params.append(variable)
        if self.use_ema:
            self.add_optimizer_variables(new, "average")
            with torch.no_grad():
                for param in new:
                    self.state[param]["average"].copy_(param)
        if self.gradient_accumulation_steps:
            self.add_optimizer_variables(new, "gradient_accumulator")
        self._make_slots(new)
        self.built = True

    def _make_slots(self, params: list[Tensor]) -> None:
        for block in self.slot_blocks:
            self.add_optimizer_variables(params, block)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Tensor], name: str | Sequence[str], initializer: Any = None
    ) -> Any:
        """Make a slot for every weight (for several names one of each, interleaved), in Keras' order.

        Args:
            trainable_variables: the weights.
            name: name of the slot, or several names.
            initializer: callable (shape, dtype), "ones", or one of these for each name; None: zeros.

        Returns:
            A list of tensors; for several names a tuple of lists.
        """
        names = (name,) if isinstance(name, str) else tuple(name)
        starts = initializer if isinstance(initializer, list | tuple) else [initializer] * len(names)
        made: tuple[list[Tensor], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for into, slot, start in zip(made, names, starts, strict=True):
                into.append(self.add_variable_from_reference(variable, slot, start))
        return made[0] if isinstance(name, str) else made

    def add_variable_from_reference(
        self, reference_variable: Tensor, name: str | None = None, initializer: Any = None
    ) -> Tensor:
        """Make a slot shaped like a weight.

        Args:
            reference_variable: the weight.
            name: name of the slot; None means "var".
            initializer: callable (shape, dtype) or "ones"; None: zeros.

        Returns:
            The slot, a tensor.
        """
        return self._add_slot(reference_variable, name or "var", tuple(reference_variable.shape), initializer)

    def _add_slot(self, param: Tensor, name: str, shape: tuple[int, ...], initializer: Any = None) -> Tensor:
        values = torch.full(shape, self.slot_start.get(name, 0.0), dtype=param.dtype, device=param.device)
        if initializer == "ones":
            values.fill_(1.0)
        elif callable(initializer):
            values.copy_(torch.as_tensor(initializer(shape, dtype=param.dtype)))
        if values.shape == param.shape:  # the same memory order as the weight: the fused kernels want it
            values = torch.empty_like(param, requires_grad=False).copy_(values)
        self.state[param][name] = values
        self._order.append((param, name))
        return self.state[param][name]

    def _slots(self, params: Sequence[Tensor], name: str) -> list[Tensor]:
        return [self.state[param][name] for param in params]

    def _get_variable_index(self, variable: Tensor) -> int:
        return self._index[variable]

    @property
    def variables(self) -> list[Any]:
        """The step count, the learning rate (absent with a schedule), then the slots: as Keras lists them."""
        head = [self._iterations, *([self._learning_rate] if isinstance(self._learning_rate, ScalarVariable) else [])]
        return [*head, *(self.state[param][name] for param, name in self._order), *self._extra_variables()]

    def _extra_variables(self) -> list[ScalarVariable]:
        return []

    def slot_arrays(self) -> list[np.ndarray]:
        """Return copies of `variables` as NumPy arrays: what a Keras file holds."""
        return [
            np.array(v.detach().cpu().float().numpy() if isinstance(v, Tensor) else v.numpy()) for v in self.variables
        ]

    def load_slot_arrays(self, arrays: Sequence[Any]) -> None:
        """Set all variables from what `slot_arrays` returned; the optimizer must be built.

        Args:
            arrays: one array for each of `variables`.

        Raises:
            InputError: another number of arrays, or another shape.
        """
        variables = self.variables
        if len(arrays) != len(variables):
            raise InputError(
                f"Optimizer {self.name!r} has {len(variables)} variables, but {len(arrays)} arrays were given. "
                "Was it built for the same weights, with the same options?"
            )
        for i, (variable, array) in enumerate(zip(variables, arrays, strict=True)):
            if tuple(variable.shape) != tuple(np.shape(array)):
                raise InputError(
                    f"Optimizer variable {i} has shape {tuple(variable.shape)}; received {tuple(np.shape(array))}."
                )
        for variable, array in zip(variables, arrays, strict=True):
            if isinstance(variable, Tensor):
                variable.copy_(torch.as_tensor(np.asarray(array)))
            else:
                variable.assign(np.asarray(array))

    get_weights = slot_arrays
    set_weights = load_slot_arrays
