"""Calls Keras' callbacks at Lightning's hooks: one Lightning callback that speaks for a `CallbackList`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightning as L

from scene_lightning.callbacks import Callback, CallbackList
from scene_lightning.callbacks.logs import LazyLogs
from scene_lightning.errors import InputError
from scene_lightning.training.irregular import NonFiniteLossWarning, warn_of_exhausted


def to_floats(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Logs as Python floats (lists for metrics that give several values).

    Args:
        logs: name → number, tensor or list.
    """
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in logs.items()}


def keras_order(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Keras 3 sorts its logs by name.

    Args:
        logs: name → value.
    """
    return {name: logs[name] for name in sorted(logs)}


class CallbackAdapter(L.Callback):
    """Calls Keras callbacks at Keras' moments while Lightning trains, validates or predicts.

    Args:
        model: the model they see as `self.model`.
        callbacks: the Keras callbacks, History and progress bar among them.
        epoch_offset: Keras' `initial_epoch`.
        validate_at: says for a 0-based epoch whether it ends with a validation.
    """

    def __init__(
        self,
        model: Any,
        callbacks: CallbackList,
        epoch_offset: int = 0,
        validate_at: Callable[[int], bool] | None = None,
    ) -> None:
        self._model, self._callbacks = model, callbacks
        self._epoch_offset = epoch_offset
        self._validate_at = validate_at or (lambda epoch: False)
        self._validation_logs: dict[str, Any] = {}
        self._last_logs: dict[str, Any] = {}
        self._validated = 0  # batches
        self._non_finite = NonFiniteLossWarning()
        self._stored: dict[str, Any] | None = None  # of the run that goes on, until its callbacks have begun

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: what Keras callbacks keep, in their order."""
        kept = [[type(callback).__name__, _state_of(callback)] for callback in self._callbacks]
        return {"callbacks": [one for one in kept if one[1]]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict

    def _take_up(self) -> None:
        """Hand each callback what its like kept in the checkpoint; one that was not there then begins anew."""
        if self._stored is None:
            return
        kept: list[Any] = list(self._stored["callbacks"])
        for callback in self._callbacks:
            match = next((one for one in kept if one[0] == type(callback).__name__), None)
            if match is not None:
                kept.remove(match)
                callback.load_state_dict(dict(match[1]))
        self._stored = None

    def epoch(self, trainer: L.Trainer) -> int:
        """Keras' number of the epoch that runs, from 0."""
        return self._epoch_offset + trainer.current_epoch

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._last_logs, self._non_finite = {}, NonFiniteLossWarning()
        self._model._initial_epoch = self._epoch_offset
        if trainer.world_size > 1 and isinstance(trainer.num_training_batches, int):  # this device's share
            self._callbacks.set_params({**(self._callbacks.params or {}), "steps": trainer.num_training_batches})
        self._callbacks.on_train_begin()
        self._take_up()
        done = self._model._initial_epoch - self._epoch_offset
        if done > 0:  # BackupAndRestore found an earlier run: go on after its last whole epoch
            progress: Any = trainer.fit_loop.epoch_progress.current
            progress.ready = progress.started = progress.processed = progress.completed = done
        if getattr(trainer.fit_loop, "restarted_mid_epoch", False):  # Lightning does not begin the epoch again
            self.on_train_epoch_start(trainer, pl_module)
        self._obey(trainer)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._validation_logs = {}
        self._plan_validation(trainer)
        self._callbacks.on_epoch_begin(self.epoch(trainer))

    def _plan_validation(self, trainer: L.Trainer) -> None:
        trainer.check_val_every_n_epoch = 1 if self._validate_at(self.epoch(trainer)) else 10**9

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._callbacks.on_train_batch_begin(batch_idx)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._non_finite.add(outputs, batch_idx, self.epoch(trainer))
        self._callbacks.on_train_batch_end(batch_idx, LazyLogs(self._batch_logs))
        self._obey(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready == 0:
            self._stop_without_data(trainer)
            return
        logs = {**to_floats(self._model.train_logs()), **self._validation_logs}
        logs = keras_order({**self._model.logged(), **logs})
        self._non_finite.look(self.epoch(trainer), logs.get("loss"))
        self._draw(trainer, logs, self.epoch(trainer) + 1)
        self._callbacks.on_epoch_end(self.epoch(trainer), logs)
        self._last_logs = logs
        self._obey(trainer)

    def _stop_without_data(self, trainer: L.Trainer) -> None:
        """Not one batch came: the epoch leaves no record, and the training ends."""
        if not self._last_logs:
            raise InputError("The data are empty: not even one batch came.")
        feed = getattr(trainer.datamodule, "train_feed", None)  # type: ignore[attr-defined]
        if feed is None or feed.steps is None:  # one cut into epochs of so many steps has said so
            warn_of_exhausted("training")
        self._model.stop_training = True
        self._obey(trainer)

    def _batch_logs(self) -> dict[str, Any]:
        return {**self._model.logged(), **self._model.train_logs(sync=False)}

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._callbacks.on_train_end(self._last_logs)

    def _obey(self, trainer: L.Trainer) -> None:
        if self._model.stop_training:
            trainer.should_stop = True

    # -- validation and evaluate -----------------------------------------------------------------------------------

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._validated = 0
        if not trainer.sanity_checking:
            self._callbacks.on_test_begin()

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._validated += 1
        if not trainer.sanity_checking:
            self._callbacks.on_test_batch_begin(batch_idx)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if not trainer.sanity_checking:
            self._callbacks.on_test_batch_end(batch_idx, LazyLogs(self._test_batch_logs))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        logs = keras_order(to_floats(self._model.test_logs()))
        if not self._validated and not logs and trainer.state.fn == "fit":
            warn_of_exhausted("validation")
        self._validation_logs = {f"val_{name}": value for name, value in logs.items()}
        self._callbacks.on_test_end({**self._model.logged(), **logs})

    def _test_batch_logs(self) -> dict[str, Any]:
        return {**self._model.logged(), **self._model.test_logs(sync=False)}

    # -- predict ---------------------------------------------------------------------------------------------------

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._callbacks.on_predict_begin()

    def on_predict_batch_start(
        self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._callbacks.on_predict_batch_begin(batch_idx)

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._callbacks.on_predict_batch_end(batch_idx, {"outputs": outputs})

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._callbacks.on_predict_end()

    def _draw(self, trainer: L.Trainer, logs: Mapping[str, Any], epoch: int) -> None:
        """The logs of an epoch to Lightning's loggers, against epochs (counted from 1) as Keras draws, not batches."""
        values = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=epoch)
            logger.save()


def _state_of(callback: Any) -> dict[str, Any]:
    """A callback that only looks like Keras' has none."""
    return callback.state_dict() if isinstance(callback, Callback) else {}


class _TrainerAdapter(CallbackAdapter):
    """The adapter for Keras callbacks that were given to a Trainer of the user's own.

    Validation, loggers and the sanity check stay as that Trainer has them.

    Args:
        model: the model that the callbacks see as `self.model`.
        callbacks: the Keras callbacks.
    """

    def __init__(self, model: Any, callbacks: list[Any]) -> None:
        super().__init__(model, CallbackList(callbacks, add_history=True))

    def attach(self, model: Any) -> None:
        """Show the callbacks the model of the run that begins."""
        self._model = model
        self._callbacks.set_model(model)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._callbacks.set_params({"verbose": 1, "epochs": 1, "steps": None, "samples": None, "batch_size": None})

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        steps = trainer.num_training_batches
        self._callbacks.set_params(
            {**(self._callbacks.params or {}), "epochs": trainer.max_epochs,
             "steps": None if steps == float("inf") else steps}
        )  # fmt: skip
        self._model.stop_training = False
        super().on_train_start(trainer, pl_module)

    def _plan_validation(self, trainer: L.Trainer) -> None:
        pass

    def _stop_without_data(self, trainer: L.Trainer) -> None:
        pass

    def _draw(self, trainer: L.Trainer, logs: Mapping[str, Any], epoch: int) -> None:
        pass

    on_test_start = CallbackAdapter.on_validation_start
    on_test_batch_start = CallbackAdapter.on_validation_batch_start
    on_test_batch_end = CallbackAdapter.on_validation_batch_end
    on_test_end = CallbackAdapter.on_validation_end


def adopt_callbacks(trainer: Any, model: Any) -> None:
    """Put one adapter in the place of the Keras callbacks among a Trainer's, whose hooks have other arguments.

    Args:
        trainer: the Trainer that is about to run.
        model: the model that it runs.
    """
    adapters = [callback for callback in trainer.callbacks if isinstance(callback, _TrainerAdapter)]
    given = [callback for callback in trainer.callbacks if isinstance(callback, Callback)]
    if given:
        adapters.append(_TrainerAdapter(model, given))
        at = trainer.callbacks.index(given[0])
        others = [c for c in trainer.callbacks if not isinstance(c, Callback)]
        trainer.callbacks = [*others[:at], adapters[-1], *others[at:]]
    for adapter in adapters:
        adapter.attach(model)
