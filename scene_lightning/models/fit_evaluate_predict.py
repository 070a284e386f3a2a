"""`fit`, `evaluate`, `predict` and their one-batch forms, as methods of every model. Keras: "Model training APIs"."""

from __future__ import annotations

import inspect
from typing import Any

import lightning as L
import numpy as np
import torch

from scene_lightning._registry import naming_unknown_words, refuse_unknown
from scene_lightning._usage_report import ledger
from scene_lightning.errors import InputError, UnknownArgumentError
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.data_modules import opened, opened_for_fit
from scene_lightning.layers.base.symbolic import flatten, map_structure
from scene_lightning.models.legacy_arguments import ignore_show_accuracy, translated, usable_class_weight
from scene_lightning.training import engine
from scene_lightning.training.callback_adapter import keras_order, to_floats
from scene_lightning.training.devices import Hardware
from scene_lightning.training.module import TrainableModule
from scene_lightning.training.running import undisturbed


class TrainingMixin(TrainableModule):
    """`fit`, `evaluate`, `predict` and their `_on_batch` forms: the part of `Model` that runs it over data."""

    built: bool

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: Any = None,
        validation_steps: Any = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: Any = "auto",
        num_nodes: int = 1,
        strategy: Any = "auto",
        precision: Any = None,
        deterministic: Any = None,
        ckpt_path: str | None = None,
        loop_data: bool = False,
        **trainer_options: Any,
    ) -> Any:
        """Train for `epochs` epochs. Keras: `Model.fit`.

        Args:
            x: images (N, H, W, C) as an array or tensor, or anything that gives batches: a directory iterator, a
                DataLoader, a generator, a Sequence, a dataset.
            y: targets, for arrays. One-hot (N, classes) or integers (N,), as the loss asks.
            callbacks: Keras callbacks, Lightning callbacks, or both.
            accelerator, devices, num_nodes, strategy, precision, deterministic: Lightning's, by their names.
            ckpt_path: a Lightning checkpoint to continue from.
            loop_data: read the data again when they end before `steps_per_epoch` (Keras 2's `fit_generator`).
            **trainer_options: further arguments of Lightning's `Trainer` (`logger`, `accumulate_grad_batches`, …).

        Returns:
            History: `.history` maps each name to one float an epoch.

        Raises:
            InputError: not compiled, or data that do not fit.
        """
        self._require_ready("training_step")
        _note_loading("fit", max_queue_size, workers, use_multiprocessing)
        epochs = translated(trainer_options, "nb_epoch", "epochs", epochs)
        ignore_show_accuracy(trainer_options.pop("show_accuracy", None))
        _check_options(trainer_options)
        if isinstance(epochs, bool) or not isinstance(epochs, int | float | np.integer):
            raise InputError(f"epochs must be a whole number; received {epochs!r}.")
        source = x
        x, validation_data = opened_for_fit(x, validation_data, y)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_arrays(x, y, sample_weight, validation_split)
        train = as_feed(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            shuffle=shuffle,
            training=True,
            class_weight=usable_class_weight(class_weight, looped=loop_data),
            steps=steps_per_epoch,
            loop=loop_data,
        )
        validation = None
        if validation_data is not None:
            validation = validation_feed(validation_data, validation_batch_size or batch_size, validation_steps)
        hardware = Hardware(accelerator, devices, num_nodes, strategy, precision, deterministic)
        self._learn_image_info(source)
        show_validation_data(callbacks, validation_data)
        return engine.run_fit(
            self, train, validation, epochs=epochs, initial_epoch=initial_epoch, verbose=verbose, callbacks=callbacks,
            validation_freq=validation_freq, hardware=hardware, ckpt_path=ckpt_path, **trainer_options,
        )  # fmt: skip

    def _learn_image_info(self, source: Any) -> None:
        describe = getattr(source, "image_info", None)
        if callable(describe):
            self.image_info = describe()

    @naming_unknown_words
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: Any = None,
        callbacks: Any = None,
        return_dict: bool = False,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: Any = "auto",
        num_nodes: int = 1,
        strategy: Any = "auto",
        precision: Any = None,
        deterministic: Any = None,
        show_accuracy: Any = None,
    ) -> Any:
        """Loss and metrics on data, without training. Keras: `Model.evaluate`.

        Args:
            show_accuracy: of Keras before 1.0; noted for the report, without effect.

        Returns:
            A float when there is only the loss, else a list `[loss, metric, …]`; a dict with `return_dict`.
        """
        ignore_show_accuracy(show_accuracy)
        self._require_ready("validation_step")
        _note_loading("evaluate", max_queue_size, workers, use_multiprocessing)
        x = opened(x, "evaluate", y)
        feed = as_feed(x, y, sample_weight, batch_size=batch_size, shuffle=False, training=False, steps=steps)
        hardware = Hardware(accelerator, devices, num_nodes, strategy, precision, deterministic)
        logs = engine.run_evaluate(self, feed, verbose=verbose, callbacks=callbacks, hardware=hardware)
        return logs if return_dict else self._as_list(logs)

    def _as_list(self, logs: dict[str, Any]) -> Any:
        values = [value for _, value in _in_compile_order(self, logs)]
        return values[0] if len(values) == 1 else values

    @naming_unknown_words
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: Any = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: Any = "auto",
        num_nodes: int = 1,
        strategy: Any = "auto",
        precision: Any = None,
        deterministic: Any = None,
        on_batch: Any = None,
    ) -> Any:
        """The model's outputs, as NumPy float32, in the order of the data. Keras: `Model.predict`.

        Args:
            on_batch: called with (outputs, batch) for each batch instead of keeping everything; then returns None.
        """
        _note_loading("predict", max_queue_size, workers, use_multiprocessing)
        x = opened(x, "predict")
        feed = as_feed(x, batch_size=batch_size, shuffle=False, training=False, steps=steps)
        hardware = Hardware(accelerator, devices, num_nodes, strategy, precision, deterministic)
        return engine.run_predict(
            self, feed, verbose=verbose, callbacks=callbacks, hardware=hardware, on_batch=on_batch
        )

    # -- one batch -------------------------------------------------------------------------------------------------

    @naming_unknown_words
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """One optimizer step on one batch; returns its loss and metrics. Keras: `Model.train_on_batch`.

        Args:
            reset_metrics: False counts on from the batches before, as in Keras 2.
        """
        self._require_compiled()
        ledger.count("train_on_batch")
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
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """Loss and metrics of one batch; `reset_metrics=False` counts on. Keras: `Model.test_on_batch`."""
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
        """The outputs for one batch, as NumPy. Keras: `Model.predict_on_batch`."""
        batch, _, _ = self._one_batch(x, None, None, None)
        with torch.no_grad():
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


# What `fit` says by another name than the Trainer, where it sets it itself.
_RENAMED = {"max_epochs": "epochs", "check_val_every_n_epoch": "validation_freq"}


def _check_options(options: dict[str, Any]) -> None:
    """UnknownArgumentError for what neither `fit` nor Lightning's Trainer has, with the nearest word that they have."""
    own = [*inspect.signature(TrainingMixin.fit).parameters, "nb_epoch"]
    refuse_unknown("fit()", options, [*own[1:], *inspect.signature(L.Trainer.__init__).parameters])
    for name, other in _RENAMED.items():
        if name in options:
            raise UnknownArgumentError(f"fit() has {other}= for what Lightning's Trainer calls {name}=.")


def validation_feed(data: Any, batch_size: int | None, steps: Any) -> Feed:
    """`validation_data` as Keras takes it: (x, y), (x, y, weights), or anything that gives batches."""
    if isinstance(data, tuple | list) and 2 <= len(data) <= 3 and not isinstance(data[0], tuple):
        x, y, *rest = data
        return as_feed(
            x, y, rest[0] if rest else None, batch_size=batch_size, shuffle=False, training=False, steps=steps
        )
    return as_feed(data, batch_size=batch_size, shuffle=False, training=False, steps=steps, loop=True)


class ValidationData(list[Any]):
    """What Keras 2 put into `callback.validation_data`: inputs, targets and weights in one list, as arrays."""


def show_validation_data(callbacks: Any, data: Any) -> None:
    """Give callbacks the arrays that `fit` validates on, for those that ask `self.validation_data`, as Keras 2 did.

    A callback that was given data of its own keeps them, and generators are not shown.
    """
    if not (isinstance(data, tuple | list) and 2 <= len(data) <= 3 and not isinstance(data[0], tuple)):
        return
    shown = ValidationData(part for part in flatten(list(data)) if part is not None)
    if all(weights is None for weights in data[2:]):
        shown.append(np.ones(len(shown[0]), np.float32))
    for callback in engine.split_callbacks(callbacks)[0]:
        known = getattr(callback, "validation_data", None)
        if known is None or isinstance(known, ValidationData):
            callback.validation_data = shown


def split_arrays(
    x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """The last `fraction` of the arrays for validation, taken before any shuffling."""
    x, y, sample_weight = (_array_of_numbers(part) for part in (x, y, sample_weight))
    leaves = [leaf for leaf in flatten([x, y, sample_weight]) if leaf is not None]
    if not leaves or any(not hasattr(leaf, "__getitem__") or not hasattr(leaf, "shape") for leaf in leaves):
        if not (isinstance(x, list) and x):
            raise InputError(
                "`validation_split` is only supported for arrays and tensors. For an iterator pass validation_data, or "
                "split the folder with ImageDataGenerator(validation_split=...) and subset=."
            )
        x, y = np.asarray(x), None if y is None else np.asarray(y)
    if not 0.0 < fraction < 1.0:
        raise InputError(f"validation_split must lie between 0 and 1; received {fraction!r}.")
    count = len(flatten(x)[0])
    at = int(count * (1.0 - fraction))
    if at == 0 or at == count:
        raise InputError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by validation_split={fraction}. Provide more data, or another value."
        )

    def cut(structure: Any, part: slice) -> Any:
        def take(leaf: Any) -> Any:
            return None if leaf is None else leaf.iloc[part] if hasattr(leaf, "iloc") else leaf[part]

        return map_structure(take, structure)

    head, tail = slice(0, at), slice(at, None)
    return tuple(cut(part, head) for part in (x, y, sample_weight)), tuple(  # type: ignore[return-value]
        cut(part, tail) for part in (x, y, sample_weight)
    )


def _array_of_numbers(values: Any) -> Any:
    """A list of labels as the array that Keras makes of it; other structures, such as several inputs, as they are."""
    plain = isinstance(values, list) and bool(values) and all(not hasattr(leaf, "shape") for leaf in flatten(values))
    return np.asarray(values) if plain else values


def _in_compile_order(model: Any, logs: dict[str, Any]) -> list[tuple[str, Any]]:
    order = {name: position for position, name in enumerate(model.metrics_names)}
    return sorted(logs.items(), key=lambda item: order.get(item[0], len(order)))


def _note_loading(verb: str, max_queue_size: Any, workers: Any, use_multiprocessing: Any) -> None:
    ledger.ignore_unless_default(
        verb, "batches are read ahead by a thread of this engine's own", max_queue_size=(max_queue_size, 10),
        workers=(workers, 1), use_multiprocessing=(use_multiprocessing, False),
    )  # fmt: skip
