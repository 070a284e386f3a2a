"""Brings the results of a run in child processes back to the process that asked for it.

With the strategies "ddp_spawn" and "ddp_fork" (Lightning's choice in notebooks) the training happens in children;
Lightning brings the weights back, this file the rest: History, the optimizer's state, the logs of an evaluation.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from scene_lightning.callbacks import CallbackList
from scene_lightning.optimizers import TorchOptimizer


class _Messenger(L.Callback):
    """In the child that is rank 0: writes the outcome when the work ends. Elsewhere it does nothing."""

    def __init__(self, model: Any, callbacks: CallbackList) -> None:
        self._model, self._callbacks, self._parent = model, callbacks, os.getpid()
        self.path: str | None = None

    def _write(self, trainer: L.Trainer, outcome: dict[str, Any]) -> None:
        if os.getpid() != self._parent and trainer.is_global_zero and self.path is not None:
            torch.save(outcome, self.path)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._optimizer = self._model.optimizer  # before the model takes over one of its configure_optimizers

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        history = self._callbacks.history
        self._write(
            trainer,
            {
                "history": dict(history.history), "epoch": history.epoch, "stop_training": self._model.stop_training,
                "optimizer": trainer.optimizers[0].state_dict() if _drives(self._optimizer, trainer) else None,
            },
        )  # fmt: skip

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.training and trainer.state.fn == "validate":
            self._write(trainer, {"logs": {name: value.cpu() for name, value in self._model.test_logs().items()}})


def _drives(optimizer: Any, trainer: L.Trainer) -> bool:
    """Whether the run has one optimizer and it is the compiled one, which the parent has, too."""
    if len(trainer.optimizers) != 1 or optimizer is None:
        return False
    inner: Any = getattr(trainer.optimizers[0], "optimizer", trainer.optimizers[0])
    if isinstance(optimizer, TorchOptimizer):
        return optimizer.drives(inner)
    return getattr(inner, "keras", None) is optimizer


class Outcome:
    """The outcome of one run: `callback` goes into the Trainer; after the run `logs` are those of the evaluation.

    Args:
        model: the model that children train.
        callbacks: those whose attributes come back.
    """

    def __init__(self, model: Any, callbacks: CallbackList) -> None:
        self._model, self._callbacks = model, callbacks
        self.callback = _Messenger(model, callbacks)
        self._outcome: dict[str, Any] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def prepare(self, trainer: L.Trainer) -> None:
        """Before the run: where it will be in children, make a place for them to write to."""
        if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
            self._folder = tempfile.TemporaryDirectory()
            self.callback.path = os.path.join(self._folder.name, "outcome.pt")

    def close(self) -> None:
        """Leave nothing behind on the disk."""
        if self._folder is not None:
            self._folder.cleanup()

    def collect(self) -> None:
        """After `trainer.fit` or `trainer.validate`: take over what a child wrote, if the work was done in children."""
        path = self.callback.path
        if path is None or not Path(path).is_file():
            return
        outcome = self._outcome = torch.load(path, weights_only=True)
        if "history" in outcome:
            history = self._callbacks.history
            history.history.update(outcome["history"])
            history.epoch = outcome["epoch"]
            self._model.history, self._model.stop_training = history, outcome["stop_training"]
        if outcome.get("optimizer") is not None:
            self._model.optimizer.torch_optimizer(list(self._model.parameters())).load_state_dict(outcome["optimizer"])

    @property
    def logs(self) -> dict[str, torch.Tensor]:
        """The values of the evaluation that was run."""
        return self._model.test_logs() if self._outcome is None else self._outcome["logs"]


@contextmanager
def outcome_of(model: Any, callbacks: CallbackList) -> Iterator[Outcome]:
    """An `Outcome`, which leaves nothing behind.

    Args:
        model: the model that children train.
        callbacks: those whose attributes come back.
    """
    outcome = Outcome(model, callbacks)
    try:
        yield outcome
    finally:
        outcome.close()
