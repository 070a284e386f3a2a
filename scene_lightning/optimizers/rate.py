"""The learning rate of an optimizer, a number or a schedule, its step count, and the options all optimizers take."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
import torch

from scene_lightning._registry import refuse_unknown
from scene_lightning.errors import InputError
from scene_lightning.optimizers import schedules
from scene_lightning.optimizers.variable import ScalarVariable

Rate = float | schedules.LearningRateSchedule | Callable[[], float]
_warned: set[str] = set()


class CommonOptions(TypedDict, total=False):
    """What every optimizer takes by name, beside its learning rate and weight decay: see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    lr: float  # Keras 1's and 2's
    decay: float


class OptimizerOptions(CommonOptions, total=False):
    """What optimizers without a weight decay of their own take."""

    weight_decay: float | None


def _words_of(cls: Any) -> list[str]:
    """The keywords of an optimizer's constructor, and of those it passes the rest to."""
    makers = [base.__init__ for base in cls.__mro__ if issubclass(base, LearningRate) and "__init__" in vars(base)]
    return [name for make in makers for name in inspect.signature(make).parameters if name not in ("self", "kwargs")]


class LearningRate:
    """Mixed into `Optimizer`: the rate that a step takes, and how it is read, assigned and spelled."""

    decay: float
    gradient_accumulation_steps: int | None
    _iterations: ScalarVariable
    _learning_rate: Any

    def _old_spellings(self, learning_rate: Any, kwargs: dict[str, Any]) -> tuple[Any, float]:
        """`lr=`, `decay=` and, for optimizers that lack them, nothing else."""
        if "lr" in kwargs:
            learning_rate = kwargs.pop("lr")
            self._warn_once("`lr` is the old spelling of `learning_rate`.")
        decay = float(kwargs.pop("decay", None) or 0.0)
        if decay:
            self._warn_once("`decay` is Keras 2's; it is honoured: rate / (1 + decay · iterations).")
        for ignored in ("jit_compile", "is_legacy_optimizer"):  # Keras 2 writes these into every config
            kwargs.pop(ignored, None)
        if kwargs:
            refuse_unknown(f"{type(self).__name__}()", kwargs, _words_of(type(self)))
        return learning_rate, decay

    @staticmethod
    def _warn_once(message: str) -> None:
        if message not in _warned:
            _warned.add(message)
            warnings.warn(message, DeprecationWarning, stacklevel=5)

    def _as_rate(self, learning_rate: Any) -> Any:
        if isinstance(learning_rate, dict):
            return schedules.deserialize(learning_rate)
        if isinstance(learning_rate, ScalarVariable):
            learning_rate = float(learning_rate)
        if callable(learning_rate):
            return learning_rate
        is_number = isinstance(learning_rate, int | float) and not isinstance(learning_rate, bool)
        if not is_number and not (hasattr(learning_rate, "item") and np.ndim(learning_rate) == 0):
            raise InputError(
                "learning_rate is a float, a LearningRateSchedule or a callable without arguments; "
                f"received {learning_rate!r}."
            )
        return ScalarVariable(learning_rate, "learning_rate")

    @property
    def iterations(self) -> Any:
        """Steps taken so far (updates, when gradients are accumulated)."""
        if self.gradient_accumulation_steps:
            return ScalarVariable(int(self._iterations) // self.gradient_accumulation_steps, "iteration", "int64")
        return self._iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self._iterations.assign(int(value) * (self.gradient_accumulation_steps or 1))

    @property
    def learning_rate(self) -> Any:
        """The rate: a variable that can be read and assigned; with a schedule, its present value as a tensor."""
        if isinstance(self._learning_rate, ScalarVariable):
            return self._learning_rate
        return torch.tensor(self._rate(), dtype=torch.float32, device="cpu")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        rate = self._as_rate(value)
        if not isinstance(rate, ScalarVariable):
            self._learning_rate = rate
        elif isinstance(self._learning_rate, ScalarVariable):
            self._learning_rate.assign(float(rate))
        else:
            raise TypeError(
                "This optimizer was created with a learning-rate schedule, so its learning rate cannot be set. Create "
                "it with a float learning_rate to set it."
            )

    @property
    def lr(self) -> Any:
        """Old spelling of `learning_rate`."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def has_schedule(self) -> bool:
        """Whether the rate follows a schedule or a callable and cannot be set."""
        return not isinstance(self._learning_rate, ScalarVariable)

    def _rate(self) -> float:
        """The rate of the next step, a float32 number on the host."""
        if isinstance(self._learning_rate, ScalarVariable):
            rate = float(self._learning_rate)
        elif isinstance(self._learning_rate, schedules.LearningRateSchedule):
            rate = float(self._learning_rate(torch.tensor(int(self._iterations), device="cpu")))
        else:
            rate = float(self._learning_rate())
        if self.decay:
            rate = rate / (1.0 + self.decay * int(self._iterations))
        return float(np.float32(rate))
