"""Saves the model while it trains: after every epoch or so many batches, all or the best."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch

from scene_lightning._main_process import is_main_process
from scene_lightning._registry import refuse_unknown
from scene_lightning.callbacks.logs import alias_of
from scene_lightning.callbacks.messages import print_message
from scene_lightning.callbacks.monitor import MonitorCallback
from scene_lightning.errors import InputError

_OF_TENSORFLOW = ("options", "load_weights_on_restart")
_ARGUMENTS = ("monitor", "verbose", "save_best_only", "save_weights_only", "mode", "save_freq", "period")


class BatchCounter:
    """Counts batches over epochs and says when so many have gone by. Keras: `_should_save_on_batch`.

    Args:
        every: how many batches, at least 1.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._since_last = 0
        self.last_batch: int | None = None

    def is_due(self, batch: int) -> bool:
        """Count one batch, and say whether so many have gone by.

        Args:
            batch: its index, from 0 in each epoch.
        """
        starts_epoch = self.last_batch is None or batch <= self.last_batch
        self._since_last += batch + 1 if starts_epoch else batch - self.last_batch  # type: ignore[operator]
        self.last_batch = batch
        if self._since_last >= self.every:
            self._since_last = 0
            return True
        return False


class ModelCheckpoint(MonitorCallback):
    """Save the model while it trains. Keras: `keras.callbacks.ModelCheckpoint`.

    Args:
        filepath: where to; `{epoch}` (from 1), `{batch}` and log names are filled in. `.keras`, `.h5`, `.hdf5`, `.ckpt`
            or, with `save_weights_only`, `.weights.h5`; other names are left to `model.save`.
        monitor: the log that says what is best.
        verbose: 1 says what it does.
        save_best_only: save only when the monitored value is better than all before.
        save_weights_only: `model.save_weights` instead of `model.save`.
        mode: "auto", "min" or "max".
        save_freq: "epoch", or every so many batches, counted across epochs.
        initial_value_threshold: the first value to beat.
        **kwargs: `period`, Keras 2's: save every so many epochs; `options` and `load_weights_on_restart`, without
            effect.

    Raises:
        InputError: an impossible `save_freq`.
        UnknownArgumentError: a word that no Keras has.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise InputError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values (at least 1)."
            )
        self.save_freq = save_freq
        self.period = int(kwargs.pop("period", 1))
        refuse_unknown("ModelCheckpoint()", kwargs, (*_ARGUMENTS, *_OF_TENSORFLOW))
        if kwargs.get("load_weights_on_restart"):
            warnings.warn("load_weights_on_restart has no effect: BackupAndRestore goes on after a stop.", stacklevel=2)
        self._batches = BatchCounter(int(save_freq)) if save_freq != "epoch" else None
        self._epochs_since_last_save = 0
        self._current_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        counted = {} if self._batches is None else {"batches": dict(vars(self._batches))}
        return {**self._attributes("_epochs_since_last_save"), **counted}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        counted = state_dict.pop("batches", None)
        super().load_state_dict(state_dict)
        if self._batches is not None and counted is not None:
            vars(self._batches).update(counted)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._batches is not None and self._batches.is_due(batch):
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._batches is not None:
            return
        self._epochs_since_last_save += 1
        if self._epochs_since_last_save >= self.period:
            self._epochs_since_last_save = 0
            self._save_model(epoch, None, logs)

    def _should_save(self, epoch: int, logs: Any, filepath: str) -> bool:
        if not self.save_best_only:
            self._say(f"\nEpoch {epoch + 1}: saving model to {filepath}")
            return True
        if not self._sign:
            self._set_monitor_op()
        current = self._monitored(logs)
        if current is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=4)
            return True
        if isinstance(current, np.ndarray | torch.Tensor) and current.ndim > 0:
            warnings.warn(
                f"Can save best model only when `monitor` is a scalar value. Received: {current}. "
                "Falling back to `save_best_only=False`.",
                stacklevel=4,
            )
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._say(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {before}")
            return False
        self._say(
            f"\nEpoch {epoch + 1}: {self.monitor} improved from {before} to {current:.5f}, saving model to {filepath}"
        )
        self.best = current
        return True

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        filepath = self._file_path(epoch, batch, logs)
        if not self._should_save(epoch, logs, filepath):
            return
        if is_main_process():  # every process holds the same weights
            self._write(filepath)
        self._say(f"\nEpoch {epoch + 1}: finished saving model to {filepath}")

    def _write(self, filepath: str) -> None:
        os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        try:
            save(filepath, overwrite=True)
        except IsADirectoryError as error:
            raise OSError(
                "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an existing "
                f"directory: {filepath}"
            ) from error

    def _file_path(self, epoch: int, batch: int | None, logs: Any) -> str:
        if "{" not in self.filepath:
            return self.filepath  # logs that are not needed are not read
        names = dict(logs or {})
        for name in list(names):
            names.setdefault(alias_of(name) or name, names[name])
        names["epoch"] = epoch + 1
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}') from error

    def _say(self, message: str) -> None:
        if self.verbose > 0:
            print_message(message)
