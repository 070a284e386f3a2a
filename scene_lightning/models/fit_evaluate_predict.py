"""`fit`, `evaluate`, `predict` and their one-batch forms, as methods of every model. Keras: "Model training APIs"."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.strategies import Strategy

from scene_lightning._registry import naming_unknown_words, refuse_unknown
from scene_lightning._usage_report import ledger
from scene_lightning.callbacks import Callback, History
from scene_lightning.errors import InputError, UnknownArgumentError
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.data_modules import opened, opened_for_fit
from scene_lightning.models.legacy_arguments import ignore_show_accuracy, translated, usable_class_weight
from scene_lightning.models.one_batch import OneBatchMixin
from scene_lightning.models.validation_data import show_validation_data, split_arrays, validation_feed
from scene_lightning.training import engine
from scene_lightning.training.devices import Hardware

Callbacks = Callback | L.Callback | Sequence[Callback | L.Callback] | None


class TrainingMixin(OneBatchMixin):
    """The part of `Model` that trains, evaluates and predicts over whole data."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: float | None = None,
        validation_steps: float | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: int | str | Sequence[int] = "auto",
        num_nodes: int = 1,
        strategy: str | Strategy = "auto",
        precision: int | str | None = None,
        deterministic: bool | str | None = None,
        ckpt_path: str | None = None,
        loop_data: bool = False,
        **trainer_options: Any,
    ) -> History:
        """Train the model for a number of epochs. Keras: `Model.fit`.

        Args:
            x: inputs: images `(samples, height, width, channels)` as an array or tensor (a list or dict of them for
                several inputs); or anything that gives batches of (inputs, targets) or (inputs, targets, weights): an
                iterator of `ImageDataGenerator`, a `Dataset`, a `PyDataset`, a torch DataLoader, a generator, a
                LightningDataModule.
            y: targets for arrays: class numbers `(samples,)` or one-hot rows `(samples, classes)`, as the loss asks.
                None where `x` gives them.
            batch_size: samples a batch, for arrays; None takes 32.
            epochs: the number of the epoch to train to: passes over the data, or over `steps_per_epoch` batches.
            verbose: 0 prints nothing, 1 a progress bar, 2 one line an epoch; "auto" takes 1.
            callbacks: Keras callbacks, Lightning callbacks, or both, in a list.
            validation_split: share in (0, 1) of the arrays that is kept for validation: the last samples, before
                shuffling.
            validation_data: what loss and metrics are measured on after an epoch, never trained on: (x, y), (x, y,
                weights), or anything that gives batches. It comes before `validation_split`.
            shuffle: whether arrays and `PyDataset`s get a new order each epoch; "batch" mixes within batches only. A
                `Dataset` and a generator say their order themselves.
            class_weight: class number → weight of its samples in the loss, such as `{0: 1.0, 1: 2.5}`.
            sample_weight: one weight a sample, `(samples,)`, for arrays. It excludes `class_weight`.
            initial_epoch: the epoch to begin with, counted from 0, to go on with an earlier run.
            steps_per_epoch: batches an epoch; None or 0 takes all. With it a generator goes on where the last epoch
                stopped.
            validation_steps: batches of validation; None or 0 takes all.
            validation_batch_size: samples a batch of validation; None takes `batch_size`.
            validation_freq: validate after every so many epochs; or a list of the epochs, counted from 1.
            max_queue_size, workers, use_multiprocessing: Keras 2's, without effect: a thread reads batches ahead.
            accelerator: what to compute on: "cpu", "cuda" (or "gpu"), "mps"; "auto" takes the best that is there. This
                and the following are Lightning's, by their names.
            devices: how many, or a list of their indices; "auto" takes all GPUs, or one CPU process.
            num_nodes: how many machines train together.
            strategy: how devices share the work, such as "ddp"; "auto" chooses.
            precision: "32-true", "bf16-mixed", "16-mixed", …, or "auto" for bf16 where the hardware is fast at it; None
                takes the policy of `keras.mixed_precision`, which is 32-true unless set.
            deterministic: True allows repeatable operations only.
            ckpt_path: a Lightning checkpoint to go on from: its epoch, weights and optimizer.
            loop_data: read the data again when they end before `steps_per_epoch`, as Keras 2's `fit_generator` did.
            **trainer_options: further arguments of Lightning's `Trainer`, such as `logger` or
                `accumulate_grad_batches`.

        Returns:
            A `History`: its `history` maps each name ("loss", "accuracy", "val_loss", …) to a list of one float an
            epoch.

        Raises:
            InputError: the model is not compiled, or the data do not fit it.
            DeviceError: hardware is asked for that is not there.

        Example:
            >>> layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
            >>> model = keras.Sequential(layers)
            >>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
            >>> images, labels = np.random.rand(64, 8, 8, 3), np.random.randint(0, 2, 64)
            >>> history = model.fit(images, labels, epochs=2, batch_size=16, validation_split=0.25, verbose=0)
            >>> sorted(history.history)
            ['accuracy', 'loss', 'val_accuracy', 'val_loss']
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
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: float | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: int | str | Sequence[int] = "auto",
        num_nodes: int = 1,
        strategy: str | Strategy = "auto",
        precision: int | str | None = None,
        deterministic: bool | str | None = None,
        show_accuracy: bool | None = None,
    ) -> Any:
        """Measure loss and metrics on data, without training. Keras: `Model.evaluate`.

        Args:
            x: inputs, or anything that gives batches, as for `fit`.
            y: targets, for arrays; None where `x` gives them.
            batch_size: samples a batch, for arrays; None takes 32.
            verbose: 0 prints nothing, 1 a progress bar, 2 one line; "auto" takes 1.
            sample_weight: one weight a sample, for arrays.
            steps: batches to take; None or 0 takes all.
            callbacks: Keras callbacks, Lightning callbacks, or both.
            return_dict: return a dict by name instead of a list.
            max_queue_size, workers, use_multiprocessing: Keras 2's, without effect.
            accelerator, devices, num_nodes, strategy, precision, deterministic: Lightning's, as for `fit`.
            show_accuracy: of Keras before 1.0, without effect.

        Returns:
            The loss as a float; with metrics a list `[loss, metric, …]` in the order of `metrics_names`; with
            `return_dict` a dict.

        Raises:
            InputError: the model is not compiled, or the data do not fit it.
            DeviceError: hardware is asked for that is not there.
        """
        ignore_show_accuracy(show_accuracy)
        self._require_ready("validation_step")
        _note_loading("evaluate", max_queue_size, workers, use_multiprocessing)
        x = opened(x, "evaluate", y)
        feed = as_feed(x, y, sample_weight, batch_size=batch_size, shuffle=False, training=False, steps=steps)
        hardware = Hardware(accelerator, devices, num_nodes, strategy, precision, deterministic)
        logs = engine.run_evaluate(self, feed, verbose=verbose, callbacks=callbacks, hardware=hardware)
        return logs if return_dict else self._as_list(logs)

    @naming_unknown_words
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: float | None = None,
        callbacks: Callbacks = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        *,
        accelerator: str = "auto",
        devices: int | str | Sequence[int] = "auto",
        num_nodes: int = 1,
        strategy: str | Strategy = "auto",
        precision: int | str | None = None,
        deterministic: bool | str | None = None,
        on_batch: Callable[[Any, Any], None] | None = None,
    ) -> Any:
        """Compute the model's outputs for data. Keras: `Model.predict`.

        Args:
            x: inputs, or anything that gives batches, as for `fit`; targets in batches are left aside. Iterators of
                `ImageDataGenerator` need `shuffle=False` for outputs in the files' order.
            batch_size: samples a batch, for arrays; None takes 32.
            verbose: 0 prints nothing, 1 a progress bar, 2 one line; "auto" takes 1.
            steps: batches to take; None or 0 takes all.
            callbacks: Keras callbacks, Lightning callbacks, or both.
            max_queue_size, workers, use_multiprocessing: Keras 2's, without effect.
            accelerator, devices, num_nodes, strategy, precision, deterministic: Lightning's, as for `fit`.
            on_batch: called with (outputs, batch) for each batch, for outputs that do not fit into memory; nothing is
                kept then. Not in Keras.

        Returns:
            A float32 array `(samples, …)`, such as `(samples, classes)`, in the order of the data; a list or dict of
            them for several outputs; None with `on_batch`.

        Raises:
            InputError: data that do not fit the model.
            DeviceError: hardware is asked for that is not there.
        """
        _note_loading("predict", max_queue_size, workers, use_multiprocessing)
        x = opened(x, "predict")
        feed = as_feed(x, batch_size=batch_size, shuffle=False, training=False, steps=steps)
        hardware = Hardware(accelerator, devices, num_nodes, strategy, precision, deterministic)
        return engine.run_predict(
            self, feed, verbose=verbose, callbacks=callbacks, hardware=hardware, on_batch=on_batch
        )


# What `fit` says by another name than the Trainer, where it sets it itself.
_RENAMED = {"max_epochs": "epochs", "check_val_every_n_epoch": "validation_freq"}


def _check_options(options: dict[str, Any]) -> None:
    """UnknownArgumentError for what neither `fit` nor Lightning's Trainer has, with the nearest word that they have."""
    if not options:
        return
    own = [*inspect.signature(TrainingMixin.fit).parameters, "nb_epoch"]
    refuse_unknown("fit()", options, [*own[1:], *inspect.signature(L.Trainer.__init__).parameters])
    for name, other in _RENAMED.items():
        if name in options:
            raise UnknownArgumentError(f"fit() has {other}= for what Lightning's Trainer calls {name}=.")


def _note_loading(method: str, max_queue_size: Any, workers: Any, use_multiprocessing: Any) -> None:
    ledger.ignore_unless_default(
        method, "batches are read ahead by a thread of this engine's own", max_queue_size=(max_queue_size, 10),
        workers=(workers, 1), use_multiprocessing=(use_multiprocessing, False),
    )  # fmt: skip
