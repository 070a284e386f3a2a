"""Runs Lightning's Trainer for `fit`, `evaluate` and `predict`, with Keras' callbacks and results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn

from scene_lightning._usage_report import ledger
from scene_lightning.callbacks import CallbackList, History
from scene_lightning.errors import InputError
from scene_lightning.fast import asked_for, compiled, folded, forget_folds, refold
from scene_lightning.feeds.base import Feed, FeedModule
from scene_lightning.training import running
from scene_lightning.training.callback_adapter import CallbackAdapter, keras_order, to_floats
from scene_lightning.training.child_process_results import outcome_of
from scene_lightning.training.collector import Collector
from scene_lightning.training.concurrent_batches import batches_at_once
from scene_lightning.training.devices import Hardware
from scene_lightning.training.inner_run import InnerRun
from scene_lightning.training.interrupts import keeping_interrupts
from scene_lightning.training.outputs_of_processes import OutputsOfProcesses, check_several
from scene_lightning.training.plain_run import plain_run, trainer_for
from scene_lightning.training.run_limits import current_trial
from scene_lightning.training.trainers import make_trainer, quiet_lightning
from scene_lightning.tree import flatten, map_structure


def split_callbacks(callbacks: Any) -> tuple[list[Any], list[L.Callback]]:
    """Part callbacks into Keras' and Lightning's.

    Args:
        callbacks: a callback, a list of them, nested or not, or None.
    """
    flat = [leaf for leaf in flatten(callbacks) if leaf is not None] if callbacks is not None else []
    return [c for c in flat if not isinstance(c, L.Callback)], [c for c in flat if isinstance(c, L.Callback)]


def listen(
    model: Any, feed: Feed, verbose: Any, callbacks: Any, add_history: bool = False, **params: Any
) -> tuple[CallbackList, list[L.Callback]]:
    """The callbacks of a run: (Keras' in one, Lightning's).

    Args:
        model: the model that callbacks see.
        feed: what the run reads.
        verbose: 0, 1, 2 or "auto"; with 0 no progress is printed.
        callbacks: Keras and Lightning callbacks, nested as one likes, or None.
        add_history: add a `History` where there is none.
        **params: what callbacks learn in `params` other than the feed's own numbers.
    """
    verbose = 1 if verbose == "auto" else int(verbose)
    keras_callbacks, lightning_callbacks = split_callbacks(callbacks)
    numbers = {"epochs": 1, "steps": feed.steps, "samples": feed.samples, "batch_size": feed.batch_size, **params}
    listed = CallbackList(
        keras_callbacks, add_history=add_history, add_progbar=verbose != 0, model=model, verbose=verbose, **numbers
    )
    return listed, lightning_callbacks


def build_from(model: Any, feed: Feed) -> None:
    """Give an unbuilt model its weights, from the shape of the first batch.

    Args:
        model: a model, built or not.
        feed: where its first batch comes from; the batch is not lost.
    """
    if model.built or model.steps_without_call:
        return
    with torch.no_grad():
        inputs = map_structure(lambda leaf: leaf[:1] if isinstance(leaf, torch.Tensor) else leaf, feed.peek())
        model(inputs, training=False)


# Plans are functions of this module, for they travel to the processes of a "ddp_spawn" run.
def _never(epoch: int) -> bool:
    return False


def _listed(wanted: Any, epoch: int) -> bool:
    return epoch + 1 in wanted


def _every(frequency: int, epoch: int) -> bool:
    return (epoch + 1) % frequency == 0


def validation_plan(frequency: Any, has_validation: bool) -> Callable[[int], bool]:
    """A function that says whether an epoch, counted from 0, ends with a validation.

    Args:
        frequency: an int n for every n-th epoch, or a collection of epochs counted from 1.
        has_validation: whether there is anything to validate on.
    """
    if not has_validation:
        return _never
    if isinstance(frequency, list | tuple | set):
        wanted = set(frequency)
        return partial(_listed, wanted)
    if not isinstance(frequency, int) or frequency < 1:
        raise InputError(f"validation_freq must be a positive integer or a list of epochs; received {frequency!r}.")
    return partial(_every, frequency)


@contextmanager
def _counting_epochs(model: Any, initial_epoch: int) -> Iterator[None]:
    """Within the block the model counts as `fit` does; afterwards a Trainer of the user's own finds nothing of it."""
    before = model._epoch_offset, model._loggers_count_epochs
    model._epoch_offset, model._loggers_count_epochs = initial_epoch, True
    try:
        yield
    finally:
        model._epoch_offset, model._loggers_count_epochs = before


def run_fit(
    model: Any,
    train: Feed,
    validation: Feed | None,
    *,
    epochs: int,
    initial_epoch: int = 0,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_freq: Any = 1,
    hardware: Hardware | None = None,
    ckpt_path: str | None = None,
    **trainer_options: Any,
) -> History:
    """Train, with Keras' callbacks at Keras' moments.

    Args:
        model: a compiled model.
        train: what to train on.
        validation: what to validate on, or None.
        epochs: the epoch to train to.
        initial_epoch: the epoch to begin with, from 0.
        verbose: as for `fit`.
        callbacks: Keras and Lightning callbacks.
        validation_freq: every so many epochs, or a list of epochs counted from 1.
        hardware: what to run on; None for the default.
        ckpt_path: a Lightning checkpoint to go on from (epoch and optimizer come from it).
        **trainer_options: further arguments of Lightning's `Trainer`.
    """
    trial, asked = current_trial(), int(epochs)
    epochs = trial.last_epoch(initial_epoch, asked)
    plan = validation_plan(validation_freq, validation is not None)
    ledger.count("fit")
    build_from(model, train)
    forget_folds(model)
    with running.undisturbed(model) as outer:
        model.stop_training = False
        listed, lightning_callbacks = listen(
            model, train, verbose, callbacks, add_history=True, epochs=epochs, steps=trial.steps(train.steps),
            samples=trial.samples(train.samples, train.steps, train.batch_size),
        )  # fmt: skip
        if initial_epoch >= epochs:
            listed.on_train_begin()
            listed.on_train_end()
            return listed.history
        shown = trial.validation_plan(plan, initial_epoch, epochs, asked)
        options = {
            "max_epochs": epochs - initial_epoch, "limit_val_batches": 0 if validation is None else 1.0,
            **trial.trainer_options(validation is not None), **trainer_options,
        }  # fmt: skip
        _run_trainer(
            model, FeedModule(train, validation, epoch_offset=initial_epoch),
            CallbackAdapter(model, listed, initial_epoch, shown), listed, lightning_callbacks,
            _beside(outer, hardware or Hardware()), ckpt_path, options,
        )  # fmt: skip
        stopped = model.stop_training
    finish = getattr(model.optimizer, "finalize_variable_values", None)
    if finish is not None:
        finish(model.trainable_weights)
    if not stopped:
        trial.fill(listed.history, plan, initial_epoch, epochs, asked)
    trial.note(initial_epoch, epochs, asked, train.steps, validation is not None)
    return listed.history


def _run_trainer(
    model: Any,
    data: FeedModule,
    adapter: CallbackAdapter,
    listed: CallbackList,
    lightning_callbacks: list[L.Callback],
    hardware: Hardware,
    ckpt_path: str | None,
    options: dict[str, Any],
) -> None:
    """Let Lightning train, in this process or in others, and take over what came of it."""
    with (
        _counting_epochs(model, data.epoch_offset),
        quiet_lightning(),
        keeping_interrupts() as holder,
        outcome_of(model, listed) as outcome,
    ):
        trainer = make_trainer(hardware, [adapter, outcome.callback, *lightning_callbacks], **options)
        holder["trainer"] = trainer
        outcome.prepare(trainer)
        assert data.train_feed is not None
        model.forget_images_seen()  # here too: what children forget, the parent would still know
        trusted = {} if ckpt_path is None else {"weights_only": True}
        with compiled(model, None, True, False):
            trainer.fit(model, datamodule=data, ckpt_path=ckpt_path, **trusted)
        outcome.collect()


def _beside(outer: L.Trainer | None, hardware: Hardware) -> Hardware:
    """What a `fit` inside the run of `outer` computes on, where it does not say: that run's device and precision."""
    if outer is None:
        return hardware
    device, precision = outer.strategy.root_device, hardware.precision or outer.precision
    if hardware.accelerator != "auto" or hardware.devices != "auto":
        return replace(hardware, precision=precision)
    devices = [device.index or 0] if device.type == "cuda" else 1
    return replace(hardware, accelerator=device.type, devices=devices, precision=precision)


def _note_outer(method: str, hardware: Hardware) -> None:
    given = {name: (getattr(hardware, name), getattr(Hardware(), name)) for name in vars(Hardware())}
    ledger.ignore_unless_default(f"{method} in a callback", "it runs where the run around it does", **given)


def run_evaluate(
    model: Any, feed: Feed, *, verbose: Any = "auto", callbacks: Any = None, hardware: Hardware | None = None
) -> dict[str, Any]:
    """Loss and metrics over a feed, as floats in Keras' order.

    Args:
        model: a compiled model.
        feed: what to evaluate on.
        verbose: as for `evaluate`.
        callbacks: Keras and Lightning callbacks.
        hardware: what to run on; None for the default.
    """
    ledger.count("evaluate")
    build_from(model, feed)
    hardware = hardware or Hardware()
    with running.undisturbed(model) as outer:
        listed, lightning_callbacks = listen(model, feed, verbose, callbacks)
        adapter = CallbackAdapter(model, listed)
        if outer is not None:
            _note_outer("evaluate", hardware)
            return InnerRun(outer, model, [adapter, *lightning_callbacks]).evaluate(feed)
        plain = trainer_for(model, feed, hardware, lightning_callbacks)
        if plain is not None:
            jit = compiled(model, feed.samples, False)
            with keeping_interrupts(), jit, plain_run(model, plain, TrainerFn.VALIDATING):
                logs = InnerRun(plain, model, [adapter]).evaluate(feed)
            return _not_empty(logs)
        with quiet_lightning(), keeping_interrupts() as holder, outcome_of(model, listed) as outcome:
            trainer = make_trainer(hardware, [adapter, outcome.callback, *lightning_callbacks])
            holder["trainer"] = trainer
            outcome.prepare(trainer)
            with compiled(model, feed.samples, False):
                trainer.validate(model, datamodule=FeedModule(validation=feed), verbose=False)
            outcome.collect()
            logs = keras_order({**model.logged(), **to_floats(outcome.logs)})
        return _not_empty(logs)


def _not_empty(logs: dict[str, Any]) -> dict[str, Any]:
    if not logs:
        raise InputError("There was nothing to evaluate: the data are empty.")
    return logs


def run_predict(
    model: Any,
    feed: Feed,
    *,
    verbose: Any = "auto",
    callbacks: Any = None,
    hardware: Hardware | None = None,
    on_batch: Callable[[Any, Any], None] | None = None,
) -> Any:
    """The outputs for every sample of a feed, in its order: float32 arrays.

    Args:
        model: a built or buildable model.
        feed: what to predict.
        verbose: as for `predict`.
        callbacks: Keras and Lightning callbacks.
        hardware: what to run on; None for the default.
        on_batch: called with (outputs, batch) after each batch; then nothing is kept and None is returned, so memory
            stays the same however long the feed is. On several devices each process gets all outputs in order when
            all are there, and None for the batch.
    """
    ledger.count("predict")
    build_from(model, feed)
    collector, hardware = Collector(on_batch), hardware or Hardware()
    with running.undisturbed(model) as outer:
        listed, lightning_callbacks = listen(model, feed, verbose, callbacks)
        listeners = [collector, CallbackAdapter(model, listed), *lightning_callbacks]
        if outer is not None:
            _note_outer("predict", hardware)
            InnerRun(outer, model, listeners).predict(feed)
        else:
            _predict(model, feed, hardware, collector, listeners, watched=bool(callbacks))
    if on_batch is not None:
        return None
    if not collector.outputs:
        raise InputError("There was nothing to predict: the data are empty.")
    return _concatenate(collector.outputs)


def _predict(
    model: Any, feed: Feed, hardware: Hardware, collector: Collector, listeners: list[L.Callback], *, watched: bool
) -> None:
    """As `run_predict`, with its listeners; `watched` says whether callbacks of the user's own are among them."""
    if hardware.devices == "auto":  # a program that does not say is not to be started several times
        hardware = replace(hardware, devices=1, num_nodes=1)
    plain = trainer_for(model, feed, hardware, listeners[2:])
    if watched:
        listeners = [*listeners, _FoldsFollow()]
    on_cpu = plain is not None and plain.strategy.root_device.type == "cpu"
    at_once = batches_at_once(model, feed) if on_cpu and not watched and not asked_for(model.jit_compile) else 1
    jit = compiled(model, feed.samples, False) if at_once == 1 else nullcontext()
    if plain is not None:
        with keeping_interrupts(), folded(model), jit, plain_run(model, plain, TrainerFn.PREDICTING):
            InnerRun(plain, model, listeners).predict(feed, at_once)
        return
    with quiet_lightning(), keeping_interrupts() as holder:
        holder["trainer"] = trainer = make_trainer(hardware, listeners)
        if trainer.world_size > 1:
            check_several(trainer, feed)
            collector.parts = OutputsOfProcesses()
        converts = trainer.precision.endswith("-true") and trainer.precision != "32-true"  # the weights, but no folds
        with nullcontext() if converts else folded(model), jit:
            trainer.predict(model, datamodule=FeedModule(predict=feed), return_predictions=False)
        if collector.parts is not None:
            for outputs in collector.parts.in_order(trainer, feed):
                collector.take(outputs, None)


class _FoldsFollow(L.Callback):
    """Folds anew what callbacks before this one have changed between batches."""

    def on_predict_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        refold(pl_module)


def _concatenate(batches: list[Any]) -> Any:
    first = batches[0]
    if isinstance(first, dict):
        return {key: _concatenate([batch[key] for batch in batches]) for key in first}
    if isinstance(first, list | tuple):
        return [_concatenate(list(parts)) for parts in zip(*batches, strict=True)]
    return np.concatenate(batches)
