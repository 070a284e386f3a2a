"""Changes the learning rate between epochs: on a schedule, or lower on a plateau."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from scene_lightning._registry import did_you_mean
from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.messages import print_message
from scene_lightning.callbacks.monitor import MonitorCallback
from scene_lightning.errors import InputError


class ReduceLROnPlateau(MonitorCallback):
    """Lower the learning rate when a value no longer improves. Keras: `keras.callbacks.ReduceLROnPlateau`.

    Args:
        monitor: the log to watch.
        factor: new rate = old rate · factor, below 1.
        patience: epochs without improvement before the rate is lowered.
        verbose: 1 says what it does.
        mode: "auto", "min" or "max".
        min_delta: a smaller change is no improvement (absolute).
        cooldown: epochs to wait after a reduction.
        min_lr: the lowest rate.
        **kwargs: `epsilon`, Keras 1's name of min_delta; others are ignored with a warning.

    Raises:
        InputError: factor ≥ 1.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=kwargs.pop("epsilon", min_delta))
        if factor >= 1.0:
            raise InputError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}")
        for name in kwargs:
            warnings.warn(
                f"ReduceLROnPlateau ignores the unknown argument {name!r}."
                + did_you_mean(name, ("monitor", "factor", "patience", "verbose", "mode", "min_delta", "min_lr")),
                stacklevel=2,
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def state_dict(self) -> dict[str, Any]:
        return self._attributes("wait", "cooldown_counter")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._sign:
            self._set_monitor_op()
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)  # as it was during this epoch
        current = self._monitored(logs)
        if current is None:
            warnings.warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}.",
                stacklevel=2,
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, epoch: int) -> bool:
        optimizer = self.model.optimizer
        old = float(optimizer.learning_rate)
        if old <= np.float32(self.min_lr):
            return False
        optimizer.learning_rate = new = max(old * self.factor, self.min_lr)
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")
        return True

    def in_cooldown(self) -> bool:
        """Whether the last reduction is too recent for another."""
        return self.cooldown_counter > 0


class LearningRateScheduler(Callback):
    """Set the learning rate at the start of each epoch. Keras: `keras.callbacks.LearningRateScheduler`.

    Args:
        schedule: (epoch from 0, current rate) → rate; `schedule(epoch)` is taken too.
        verbose: 1 says the new rate.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        if not hasattr(optimizer, "learning_rate"):
            raise InputError('Optimizer must have a "learning_rate" attribute.')
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError:  # a schedule of the epoch alone
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.float32):
            raise InputError(f"The output of the `schedule` function should be a float. Got: {rate}")
        optimizer.learning_rate = rate
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
