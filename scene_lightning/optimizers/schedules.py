"""A step in; a learning rate out, as a float32 scalar tensor. One step is one batch; the first update sees step 0.

Source: https://keras.io/api/optimizers/learning_rate_schedules
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import resolve, serialize_object
from scene_lightning.errors import InputError


def _f32(value: Any) -> Tensor:
    # float32 throughout, as in Keras, so that the rates agree to the last digit
    return torch.tensor(float(value), dtype=torch.float32, device="cpu")


class LearningRateSchedule:
    """Base class: `__call__(step)` gives the rate; a user's own may return a float."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"Learning rate schedule {type(self).__name__!r} must override __call__(step).")

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"Learning rate schedule {type(self).__name__!r} must override get_config() to be saved."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        return cls(**config)


def _check_positive(value: float, name: str) -> None:
    if value <= 0:
        raise InputError(f"A schedule needs {name} > 0; received {value}.")


class ExponentialDecay(LearningRateSchedule):
    """initial · decay_rate^(step/decay_steps); `staircase` floors the exponent."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        _check_positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Tensor:
        p = _f32(step) / _f32(self.decay_steps)
        p = torch.floor(p) if self.staircase else p
        return _f32(self.initial_learning_rate) * torch.pow(_f32(self.decay_rate), p)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] up to and including boundaries[i]."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise InputError(
                f"PiecewiseConstantDecay needs one value more than boundaries; received {len(boundaries)} boundaries "
                f"and {len(values)} values."
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: Any) -> Tensor:
        now = float(step)
        for boundary, value in zip(self.boundaries, self.values, strict=False):
            if now <= boundary:
                return _f32(value)
        return _f32(self.values[-1])

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """(initial − end)·(1 − step/decay_steps)^power + end; `cycle` starts again on a longer run."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _check_positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Tensor:
        now, steps = _f32(step), _f32(self.decay_steps)
        if self.cycle:
            steps = steps * (1.0 if now == 0 else torch.ceil(now / self.decay_steps))
        else:
            now = torch.minimum(now, steps)
        end = _f32(self.end_learning_rate)
        return (_f32(self.initial_learning_rate) - end) * torch.pow(1 - now / steps, _f32(self.power)) + end

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """initial / (1 + decay_rate·step/decay_steps); `staircase` floors the quotient."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Tensor:
        p = _f32(step) / _f32(self.decay_steps)
        p = torch.floor(p) if self.staircase else p
        return _f32(self.initial_learning_rate) / (1.0 + _f32(self.decay_rate) * p)


class CosineDecay(LearningRateSchedule):
    """Half a cosine from initial to alpha·initial; with `warmup_target`, first a line up to it, then from there."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        _check_positive(decay_steps, "decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def _decay(self, step: Tensor, start: Tensor) -> Tensor:
        cosine = 0.5 * (1.0 + torch.cos(_f32(math.pi) * (step / _f32(self.decay_steps))))
        return start * ((1 - self.alpha) * cosine + self.alpha)

    def __call__(self, step: Any) -> Tensor:
        now, initial, steps = _f32(step), _f32(self.initial_learning_rate), _f32(self.decay_steps)
        if self.warmup_target is None:
            return self._decay(torch.minimum(now, steps), initial)
        target, warmup = _f32(self.warmup_target), _f32(self.warmup_steps)
        now = torch.minimum(now, steps + warmup)
        if now < warmup:
            return (target - initial) * (now / warmup) + initial
        return self._decay(now - warmup, target)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that restarts, each run t_mul times longer and m_mul times lower. Loshchilov and Hutter, 2016."""

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _check_positive(first_decay_steps, "first_decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Tensor:
        t_mul, done = _f32(self.t_mul), _f32(step) / _f32(self.first_decay_steps)
        if self.t_mul == 1.0:
            restart = torch.floor(done)
            done = done - restart
        else:
            restart = torch.floor(torch.log(1.0 - done * (1.0 - t_mul)) / torch.log(t_mul))
            passed = (1.0 - torch.pow(t_mul, restart)) / (1.0 - t_mul)
            done = (done - passed) / torch.pow(t_mul, restart)
        cosine = 0.5 * torch.pow(_f32(self.m_mul), restart) * (1.0 + torch.cos(_f32(math.pi) * done))
        alpha = _f32(self.alpha)
        return _f32(self.initial_learning_rate) * ((1 - alpha) * cosine + alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


_CLASSES = (
    ExponentialDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    InverseTimeDecay,
    CosineDecay,
    CosineDecayRestarts,
)
_TABLE: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES}


def get(identifier: Any) -> Any:
    """A schedule object or its config dict → the schedule."""
    return resolve(identifier, table=_TABLE, kind="learning rate schedule")


def serialize(learning_rate_schedule: Any) -> Any:
    """Keras' config dict of a schedule."""
    return serialize_object(learning_rate_schedule, "optimizers.schedules")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The reverse of `serialize`."""
    return resolve(config, table={**_TABLE, **(custom_objects or {})}, kind="learning rate schedule")


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]
