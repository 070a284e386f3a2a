"""Lets Lightning drive a Keras optimizer: the `torch.optim.Optimizer` that takes its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning.errors import InputError


class _Group(dict[str, Any]):
    """A parameter group whose "lr" is the optimizer's learning rate: writing either changes both.

    "momentum" and "betas", which torch's schedulers cycle and Lightning's monitor reads, are the optimizer's, too.
    """

    keras: Any = None

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and self.keras is not None and float(value) != self.get("lr"):
            self.keras.learning_rate = float(value)
            value = float(self.keras.learning_rate)
        elif key == "momentum" and self.keras is not None:
            self.keras.momentum = value
        elif key == "betas" and self.keras is not None:
            self.keras.beta_1, self.keras.beta_2 = value
        super().__setitem__(key, value)

    def show(self, rate: float) -> None:
        """Write the rate without telling the optimizer, from which it comes."""
        super().__setitem__("lr", rate)


class KerasOptimizer(torch.optim.Optimizer):
    """A `torch.optim.Optimizer` that takes a Keras optimizer's steps: same state, learning rate and step count.

    A second `fit` may make a second adapter of the same optimizer: the state is the optimizer's, not the adapter's.

    Args:
        keras: the Keras optimizer.
        params: the weights that it drives.
    """

    def __init__(self, keras: Any, params: Sequence[Tensor]) -> None:
        self.keras = keras
        super().__init__(list(params), {"lr": keras._rate(), **_torch_options(keras)})
        group = _Group(self.param_groups[0])
        self.param_groups[0] = group
        group.keras = keras
        self.state = keras.state
        if not keras.has_schedule:
            keras.learning_rate.on_assign(group.show)

    @property
    def _group(self) -> _Group:
        return self.param_groups[0]  # type: ignore[return-value]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step on the weights that have a gradient; `closure` computes the loss and the gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None and p.requires_grad]
        if params:
            self.keras._step([param.grad for param in params], params)
            if self.keras.has_schedule:
                self._group.show(self.keras._rate())
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Slots by position of the weight, the step count and the rate: all that an exact resume needs."""
        params = [p for group in self.param_groups for p in group["params"]]
        slots = {i: dict(self.keras.state[p]) for i, p in enumerate(params) if p in self.keras.state}
        plain = {key: value for key, value in self._group.items() if key != "params"}
        return {
            "state": slots,
            "param_groups": [{**plain, "params": list(range(len(params)))}],
            "iterations": int(self.keras._iterations),
            "extra": [float(v) for v in self.keras._extra_variables()],
        }

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Set slots, step count and rate to what `state_dict` gave.

        Args:
            state_dict: what it gave.

        Raises:
            InputError: the state belongs to other weights.
        """
        params = [p for group in self.param_groups for p in group["params"]]
        saved = state_dict["param_groups"][0]
        if len(saved["params"]) != len(params) or "iterations" not in state_dict:
            raise InputError(
                f"The saved optimizer state is of {len(saved['params'])} weights; this one drives {len(params)}. "
                "Resume with the network and the optimizer that were saved."
            )
        for i, param in enumerate(params):
            slots = state_dict["state"].get(i, {})
            if slots and param not in self.keras._index:
                self.keras.build([param])
            for name, values in slots.items():
                slot = self.keras.state[param].get(name)
                if slot is None or slot.shape != values.shape:
                    raise InputError(
                        f"The saved optimizer state has a slot {name!r} of shape {tuple(values.shape)} that this "
                        "optimizer lacks. Resume with the network and the optimizer that were saved."
                    )
                slot.copy_(values)
        self.keras._iterations.assign(state_dict["iterations"])
        for variable, value in zip(self.keras._extra_variables(), state_dict["extra"], strict=True):
            variable.assign(value)
        for key, value in saved.items():
            if key == "lr" and self.keras.has_schedule:
                self._group.show(self.keras._rate())
            elif key not in ("params", "weight_decay"):
                self._group[key] = value


def _torch_options(keras: Any) -> dict[str, Any]:
    """What torch's schedulers and Lightning's LearningRateMonitor look for beside the rate, by torch's names."""
    options: dict[str, Any] = {"weight_decay": keras.weight_decay or 0.0}
    if hasattr(keras, "beta_2"):
        options["betas"] = (keras.beta_1, keras.beta_2)
    elif hasattr(keras, "momentum"):
        options["momentum"] = keras.momentum
    return options
