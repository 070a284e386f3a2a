"""Stops a training whose monitored value no longer improves, and puts the best weights back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from scene_lightning.callbacks.messages import print_message
from scene_lightning.callbacks.monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stop when a value no longer improves. Keras: `keras.callbacks.EarlyStopping`.

    Args:
        monitor: the log to watch.
        min_delta: a smaller change is no improvement.
        patience: epochs without improvement that are waited for.
        verbose: 1 says what it does.
        mode: "auto", "min" or "max".
        baseline: waiting starts anew only for values better than this too.
        restore_best_weights: put the best epoch's weights back when training ends.
        start_from_epoch: epochs before this one are not looked at.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        # The same object may serve several fits.
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        weights = self.best_weights
        kept = None if weights is None else [torch.from_numpy(np.array(weight)) for weight in weights]
        return {**self._attributes("wait", "stopped_epoch", "best_epoch"), "best_weights": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if self.best_weights is not None:
            self.best_weights = [weight.numpy() for weight in self.best_weights]
        if self.stopped_epoch > 0:
            self.model.stop_training = True  # what it has stopped stays so

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._sign:
            self._set_monitor_op()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_message(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print_message(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs: Any) -> Any:
        """The monitored value, or None with a warning."""
        value = self._monitored(logs)
        if value is None:
            warnings.warn(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=2,
            )
        return value
