"""Knows which Lightning runs are under way in this process, so that a run inside one leaves it as it was.

Callbacks call `predict`, `evaluate`, `train_on_batch` or `fit` on the model that is being trained, or on one that
shares layers with it. A second `Trainer` would take the weights from the device, mode and dtype of the first.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerStatus

from scene_lightning.training.metric_states import MetricStates, metrics_within

_under_way: list[tuple[weakref.ref[Any], weakref.ref[Any]]] = []
# What a run writes on a model, and on the models inside it.
_OF_A_RUN = (
    "_trainer", "_step_logs", "_epoch_logs", "_epoch_states", "_evaluating", "_epoch_offset", "_initial_epoch",
    "_loggers_count_epochs", "_logged_for_user", "_dtypes_of_rest", "_compiled_calls", "stop_training", "history",
)  # fmt: skip


def begin(model: Any, trainer: Any) -> None:
    """`trainer` starts to work on `model`, in this process.

    Args:
        model: the model.
        trainer: the Trainer.
    """
    _under_way[:] = [(m, t) for m, t in _under_way if m() is not None and _runs(t())]
    _under_way.append((weakref.ref(model), weakref.ref(trainer)))


def end(model: Any, trainer: Any) -> None:
    """`trainer` has finished with `model`.

    Args:
        model: the model.
        trainer: the Trainer.
    """
    for place in reversed(range(len(_under_way))):  # the innermost: a `fit` inside a run begins there once more
        if _under_way[place][0]() is model and _under_way[place][1]() is trainer:
            del _under_way[place]
            return


def _outer_run(model: Any) -> L.Trainer | None:
    """The Trainer that is working on `model`, or on a model with some of its weights, right now; else None.

    Args:
        model: the model to ask about.
    """
    own = model.__dict__.get("_trainer")
    if _runs(own):
        return own
    weights: set[int] | None = None
    for begun, trainer in reversed(_under_way):
        other, its_trainer = begun(), trainer()
        if other is None or not _runs(its_trainer):
            continue
        weights = {id(p) for p in model.parameters()} if weights is None else weights
        if other is model or any(id(p) in weights for p in other.parameters()):
            return its_trainer
    return None


def _run_on_several_devices() -> L.Trainer | None:
    """A run, whatever its model, of which this process is one of several: no place for a second Trainer; else None."""
    runs = (trainer() for _, trainer in reversed(_under_way))
    return next((trainer for trainer in runs if _runs(trainer) and trainer.world_size > 1), None)


@contextmanager
def undisturbed(model: Any) -> Iterator[L.Trainer | None]:
    """Let `fit`, `evaluate` or `predict` run within the block; the run around it then finds everything as it was.

    Kept are the metrics' states, logs, devices, training modes and all that a run writes on a model; the weights and
    the optimizer are the inner run's to change. Gives the outer run's trainer, or None when there is none.

    Args:
        model: the model of the inner run.
    """
    trainer = _outer_run(model) or _run_on_several_devices()
    if trainer is None:
        yield None
        return
    written = [
        (part, {name: part.__dict__[name] for name in _OF_A_RUN if name in part.__dict__})
        for part in model.modules()
        if isinstance(part, L.LightningModule)
    ]
    counted = MetricStates(metrics_within(model))
    try:
        with modes_and_places_kept(model), torch.inference_mode(False), torch.enable_grad():
            yield trainer
    finally:
        for part, values in written:
            for name in _OF_A_RUN:
                part.__dict__.pop(name, None)
            part.__dict__.update(values)
        _slots_beside_weights(trainer)
        counted.give_back()
        for metric in metrics_within(model):
            if metric not in counted:  # made by the inner run
                metric.reset()


@contextmanager
def modes_and_places_kept(model: Any) -> Iterator[None]:
    """After the block each part of the model is in the mode, and each weight on the device, that it was before.

    Args:
        model: the model.
    """
    modes = [(part, part.training) for part in model.modules()]
    places = [(tensor, tensor.device) for tensor in (*model.parameters(), *model.buffers())]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        for tensor, device in places:
            if tensor.device != device:
                tensor.data = tensor.data.to(device)


def _slots_beside_weights(trainer: L.Trainer) -> None:
    """The slots of the outer run's optimizers back to the device of their weights, from where a Trainer took them."""
    for optimizer in trainer.optimizers:
        for weight, slots in optimizer.state.items():
            for name, slot in slots.items():
                if isinstance(slot, torch.Tensor) and slot.device != weight.device:
                    slots[name] = slot.to(weight.device)


def _runs(trainer: Any) -> bool:
    return getattr(getattr(trainer, "state", None), "status", None) == TrainerStatus.RUNNING
