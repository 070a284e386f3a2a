"""`predict` and `evaluate` inside a run: a plain loop where that run's weights are, without a second Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
import torchmetrics
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

from scene_lightning.feeds.base import Feed, FeedModule
from scene_lightning.training import running
from scene_lightning.training.callback_adapter import keras_order, to_floats
from scene_lightning.training.concurrent_batches import outputs_of
from scene_lightning.training.metric_states import metrics_within
from scene_lightning.tree import flatten


class InnerRun:
    """One `predict` or `evaluate` on a model while another run works on it.

    It takes that run's device and precision. In a run on several devices each process reads all of the data by itself,
    so that nothing waits for a process that does not call it.

    Args:
        trainer: the outer run's.
        model: what to run; it may share weights with the outer run's, or be another.
        listeners: Lightning callbacks, the `CallbackAdapter` among them.
    """

    def __init__(self, trainer: L.Trainer, model: Any, listeners: list[L.Callback]) -> None:
        self._trainer, self._model, self._listeners = trainer, model, listeners

    def evaluate(self, feed: Feed) -> dict[str, Any]:
        """Loss and metrics over `feed`, as floats in Keras' order, and what steps of the user's own log."""
        own_hooks = self._model.has_own_hooks
        with self._prepared(), self._by_itself(), _logging_aside(self._model) as logged:
            self._tell("on_validation_start")
            self._model.on_validation_epoch_start()
            for number, batch in self._batches(feed, "validation_step"):
                self._tell("on_validation_batch_start", batch, number)
                logged.batch_size = len(flatten(batch)[0])
                with torch.no_grad(), self._trainer.precision_plugin.val_step_context():
                    outputs = _step(self._model.validation_step, batch, number)
                self._tell("on_validation_batch_end", outputs, batch, number)
            if own_hooks:  # else there is nobody to log for
                with torch.no_grad():
                    self._model.on_validation_epoch_end()
            self._tell("on_validation_end")
            return keras_order({**self._model.logged(), **to_floats(self._model.test_logs())})

    def predict(self, feed: Feed, at_once: int = 1) -> None:
        """Outputs for each batch of `feed`, to the listeners.

        Args:
            feed: what to predict.
            at_once: how many batches are computed at once; the listeners hear of them one after another.
        """
        with self._prepared():
            self._tell("on_predict_start")
            batches = self._batches(feed, "predict_step")
            if at_once > 1:
                for number, batch, outputs in outputs_of(self._predicted, batches, at_once, feed.steps_on(1) or 0):
                    self._tell("on_predict_batch_start", batch, number)
                    self._tell("on_predict_batch_end", outputs, batch, number)
            else:
                for number, batch in batches:
                    self._tell("on_predict_batch_start", batch, number)
                    outputs = self._predicted(batch, number)
                    self._tell("on_predict_batch_end", outputs, batch, number)
            self._tell("on_predict_end")

    def _predicted(self, batch: Any, number: int) -> Any:
        with torch.no_grad(), self._trainer.precision_plugin.predict_step_context():
            return _step(self._model.predict_step, batch, number)

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """The model on the outer run's device, in evaluation mode."""
        device = self._trainer.strategy.root_device
        tensors = (*self._model.parameters(), *self._model.buffers())
        if device.type != "cpu" or any(tensor.device != device for tensor in tensors):
            self._model.to(device)
        self._model.eval()
        self._model.__dict__["_trainer"] = self._trainer
        running.begin(self._model, self._trainer)
        try:
            yield
        finally:
            running.end(self._model, self._trainer)

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        """Within the block metrics are not summed over the processes of the outer run."""
        if self._trainer.world_size == 1:
            yield
            return
        metrics, alone = metrics_within(self._model), self._model._alone
        before = [metric._to_sync for metric in metrics]
        for metric in metrics:
            metric._to_sync = False
        self._model._alone = True
        try:
            yield
        finally:
            self._model._alone = alone
            for metric, synchronised in zip(metrics, before, strict=True):
                metric._to_sync = synchronised

    def _batches(self, feed: Feed, step: str) -> Iterator[tuple[int, Any]]:
        device = self._trainer.strategy.root_device
        data = FeedModule(validation=feed)
        feed.keep_on(device)
        for number, batch in enumerate(data.val_dataloader()):
            ready = data.on_after_batch_transfer(move_data_to_device(batch, device), 0)
            ready = self._trainer.precision_plugin.convert_input(ready)
            yield number, self._model.as_step_batch(ready, step, 0)

    def _tell(self, hook: str, *args: Any) -> None:
        for listener in self._listeners:
            getattr(listener, hook)(self._trainer, self._model, *args)


class _Logged:
    """What `self.log` was given in an inner run: means over its samples. The outer run's logs are no place for it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._values: dict[str, Any] = {}
        self.batch_size = 1

    def log(self, name: str, value: Any, *args: Any, batch_size: int | None = None, **kwargs: Any) -> None:
        """In place of `LightningModule.log`."""
        if isinstance(value, torchmetrics.Metric):
            self._values[name] = value
            return
        total, count = self._values.get(name, (0.0, 0))
        size = batch_size or self.batch_size
        self._values[name] = total + float(value) * size, count + size

    def values(self) -> dict[str, float]:
        """In place of `OwnSteps.logged`."""
        ours = self._model._logged_for_user
        logged = {name: value for name, value in self._values.items() if name not in ours}
        if not self._model.reports_by_itself:
            return {}
        return {
            name: float(value.compute() if isinstance(value, torchmetrics.Metric) else value[0] / value[1])
            for name, value in logged.items()
        }


@contextmanager
def _logging_aside(model: Any) -> Iterator[_Logged]:
    """Within the block `model.log` writes to what this gives."""
    logged = _Logged(model)
    before = {name: model.__dict__[name] for name in ("log", "logged") if name in model.__dict__}
    model.__dict__.update(log=logged.log, logged=logged.values)
    try:
        yield logged
    finally:
        del model.__dict__["log"], model.__dict__["logged"]
        model.__dict__.update(before)


def _step(step: Any, batch: Any, number: int) -> Any:
    """As Lightning calls it: a step of the user's own may leave out the number."""
    return step(batch, number) if is_param_in_hook_signature(step, "batch_idx", min_args=2) else step(batch)
