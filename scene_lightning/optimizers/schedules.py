"""Learning-rate schedules: a float32 rate for each step. One step is one batch; the first update sees step 0.

Source: https://keras.io/api/optimizers/learning_rate_schedules
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import Configured, resolve, serialize_object
from scene_lightning.errors import InputError


def _f32(value: Any) -> Tensor:
    # float32 throughout, as in Keras, so that the rates agree to the last digit
    return torch.tensor(float(value), dtype=torch.float32, device="cpu")


class LearningRateSchedule(Configured):
    """Base class of schedules: `__call__(step)` gives the rate; a user's own may return a float."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"Learning rate schedule {type(self).__name__!r} must override __call__(step).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this schedule again; a schedule that is to be saved overrides this."""
        if not self._arguments:
            name = type(self).__name__
            raise NotImplementedError(f"Learning rate schedule {name!r} must override get_config() to be saved.")
        return super().get_config()


def _check_positive(value: float, name: str) -> None:
    if value <= 0:
        raise InputError(f"A schedule needs {name} > 0; received {value}.")


class ExponentialDecay(LearningRateSchedule):
    """Exponential decay: initial · decay_rate^(step/decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps in which the rate is multiplied once by decay_rate.
        decay_rate: factor of the decay.
        staircase: whether step/decay_steps is rounded down, so that the rate falls in stairs.
        name: name of the schedule.

    Raises:
        InputError: decay_steps is not above 0.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

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


class PiecewiseConstantDecay(LearningRateSchedule):
    """Constant rates between given steps: values[i] up to and including boundaries[i].

    Args:
        boundaries: steps at which the rate changes, in rising order.
        values: rates, one more than boundaries.
        name: name of the schedule.

    Raises:
        InputError: the numbers do not fit.
    """

    _arguments = ("boundaries", "values", "name")

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


class PolynomialDecay(LearningRateSchedule):
    """Polynomial decay: (initial − end)·(1 − step/decay_steps)^power + end, and end from then on.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: number of steps to the end.
        end_learning_rate: the rate at the end.
        power: exponent; 1 is a line.
        cycle: whether the decay, instead of staying at its end, goes on over the next multiple of decay_steps.
        name: name of the schedule.

    Raises:
        InputError: decay_steps is not above 0.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

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


class InverseTimeDecay(ExponentialDecay):
    """Inverse time decay: initial / (1 + decay_rate·step/decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps after which decay_rate is added once to the divisor.
        decay_rate: strength of the decay.
        staircase: whether step/decay_steps is rounded down, so that the rate falls in stairs.
        name: name of the schedule.

    Raises:
        InputError: decay_steps is not above 0.
    """

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
    """Cosine decay, with a warm-up if wanted: half a cosine from the initial rate down to alpha times it.

    With `warmup_target` the rate first rises in a line from the initial rate to it, and decays from there. Loshchilov
    and Hutter, 2016, arXiv:1608.03983.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps of the decay, without those of the warm-up.
        alpha: the rate at the end as a share of that at which the decay begins.
        name: name of the schedule.
        warmup_target: the rate at the end of the warm-up; None: no warm-up.
        warmup_steps: steps of the warm-up.

    Raises:
        InputError: decay_steps is not above 0.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

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


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that starts again, each run t_mul times longer and m_mul times as high as the last.

    Loshchilov and Hutter, "SGDR", 2016, arXiv:1608.03983.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: steps of the first run.
        t_mul: length of a run divided by that of the last.
        m_mul: initial rate of a run divided by that of the last.
        alpha: the least rate as a share of the initial rate.
        name: name of the schedule.

    Raises:
        InputError: first_decay_steps is not above 0.
    """

    _arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

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


_CLASSES = (
    ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecay, CosineDecayRestarts,
)  # fmt: skip
_TABLE: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES}


def get(identifier: Any) -> Any:
    """Turn a schedule or its config into a schedule.

    Args:
        identifier: a `LearningRateSchedule`, a config dict, or None.

    Returns:
        The schedule, or None for None.
    """
    return resolve(identifier, table=_TABLE, kind="learning rate schedule")


def serialize(learning_rate_schedule: Any) -> Any:
    """Describe a schedule as Keras' files do.

    Args:
        learning_rate_schedule: a `LearningRateSchedule`.

    Returns:
        A dict with "class_name" and "config".
    """
    return serialize_object(learning_rate_schedule, "optimizers.schedules")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make a schedule from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict.
        custom_objects: further classes and functions by the name that the config gives them.

    Returns:
        A `LearningRateSchedule`.
    """
    return resolve(config, table={**_TABLE, **(custom_objects or {})}, kind="learning rate schedule")


__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "get", "serialize",
]  # fmt: skip
