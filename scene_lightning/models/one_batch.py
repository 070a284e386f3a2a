"""`train_on_batch`, `test_on_batch` and `predict_on_batch`, as methods of every model."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch

from scene_lightning import fast
from scene_lightning._registry import naming_unknown_words
from scene_lightning._usage_report import ledger
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.models.legacy_arguments import usable_class_weight
from scene_lightning.training.callback_adapter import keras_order, to_floats
from scene_lightning.training.module import TrainableModule
from scene_lightning.training.running import undisturbed
from scene_lightning.tree import flatten, map_structure


class OneBatchMixin(TrainableModule):
    """The part of `Model` that trains, evaluates and predicts one batch at a time."""

    built: bool

    @naming_unknown_words
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """Take one optimizer step on one batch, where the weights are: `model.to("cuda")` brings them to a GPU.

        Keras: `Model.train_on_batch`.

        Args:
            x: the batch's inputs `(batch, height, width, channels)`; a list or dict for several inputs.
            y: its targets.
            sample_weight: one weight a sample, or None.
            class_weight: class number → weight of its samples in the loss, or None.
            return_dict: return a dict by name instead of a list.
            reset_metrics: False counts on from the batches before, as in Keras 2.

        Returns:
            The loss as a float; with metrics a list `[loss, metric, …]`; with `return_dict` a dict.

        Raises:
            InputError: the model is not compiled, or the batch does not fit it.
        """
        self._require_compiled()
        ledger.count("train_on_batch")
        anchor = next(self.parameters(), None)
        if anchor is None or anchor.device.type == "cpu":
            _mention_gpu()
        batch = self._one_batch(x, y, sample_weight, usable_class_weight(class_weight, looped=False))
        with undisturbed(self):
            if reset_metrics:
                self._reset_for_epoch()
            if self.automatic_optimization:
                optimizer = self.optimizer.torch_optimizer(list(self.parameters()))
                with torch.enable_grad():
                    loss = self._step(batch, self._train_metrics, training=True)
                    optimizer.zero_grad()
                    if loss.requires_grad:
                        loss.backward()
                optimizer.step()
            else:
                self._own_train_step(batch)
            logs = keras_order(to_floats(self.train_logs()))
        return logs if return_dict else self._as_list(logs)

    @naming_unknown_words
    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False, reset_metrics: bool = True
    ) -> Any:
        """Measure loss and metrics on one batch, without training. Keras: `Model.test_on_batch`.

        Args:
            x: the batch's inputs `(batch, height, width, channels)`; a list or dict for several inputs.
            y: its targets.
            sample_weight: one weight a sample, or None.
            return_dict: return a dict by name instead of a list.
            reset_metrics: False counts on from the batches before, as in Keras 2.

        Returns:
            The loss as a float; with metrics a list `[loss, metric, …]`; with `return_dict` a dict.

        Raises:
            InputError: the model is not compiled, or the batch does not fit it.
        """
        self._require_compiled()
        batch = self._one_batch(x, y, sample_weight, None)
        with undisturbed(self), torch.no_grad():
            if reset_metrics:
                self.on_test_epoch_start()
            self.validation_step(batch)
            logs = keras_order(to_floats(self.test_logs()))
        return logs if return_dict else self._as_list(logs)

    @naming_unknown_words
    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch. Keras: `Model.predict_on_batch`.

        Args:
            x: the batch's inputs `(batch, height, width, channels)`; a list or dict for several inputs.

        Returns:
            An array `(batch, …)`; a list or dict of them for several outputs.
        """
        batch, _, _ = self._one_batch(x, None, None, None)
        on_cpu = flatten(batch)[0].device.type == "cpu"  # elsewhere nothing is kept, and folding waits for the device
        with fast.folded(self) if on_cpu else nullcontext(), torch.no_grad():
            return map_structure(lambda leaf: leaf.cpu().numpy(), self(batch, training=False))

    def _one_batch(self, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Any:
        size = len(flatten(x)[0])
        feed = as_feed(x, y, sample_weight, batch_size=size, shuffle=False, training=False, class_weight=class_weight)
        batch = next(iter(feed.batches(0)))
        anchor = next(iter(self.parameters()), None)
        if anchor is not None:
            batch = map_structure(lambda leaf: leaf if leaf is None else leaf.to(anchor.device), batch)
        prepared = feed.to_device_batch(batch, 0, False)
        if not self.built:
            with torch.no_grad():
                self(prepared[0], training=False)
        return prepared

    def _as_list(self, logs: dict[str, Any]) -> Any:
        model: Any = self  # a subclass may name its metrics otherwise
        order = {name: position for position, name in enumerate(model.metrics_names)}
        values = [logs[name] for name in sorted(logs, key=lambda name: order.get(name, len(order)))]
        return values[0] if len(values) == 1 else values


@functools.cache  # said once, and the driver is asked once
def _mention_gpu() -> None:
    if torch.cuda.is_available():
        warnings.warn(
            "train_on_batch computes on the processor, where the weights are, though there is a GPU. Call "
            'model.to("cuda") first; fit() goes there by itself.',
            stacklevel=4,
        )
