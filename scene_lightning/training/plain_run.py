"""Runs `evaluate` and `predict` in a plain loop where Lightning's would do the same, at a tenth of its cost a call.

The loop is that of a run inside a run (`inner_run`); its Trainer says which device and precision, and is kept for the
next call. Lightning's own loop runs where somebody would miss it: Lightning callbacks, hooks or steps of the user's
own, several devices, weights that are converted, a data module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.pytorch.trainer.states import RunningStage, TrainerFn, TrainerStatus

from scene_lightning.feeds.base import Feed
from scene_lightning.training import running
from scene_lightning.training.devices import Hardware, trainer_arguments
from scene_lightning.training.launch import current_launch
from scene_lightning.training.trainers import make_trainer, quiet_lightning

_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # those that leave the weights as they are
_STAGES = {TrainerFn.VALIDATING: RunningStage.VALIDATING, TrainerFn.PREDICTING: RunningStage.PREDICTING}
_idle: dict[tuple[Any, ...], L.Trainer] = {}


def trainer_for(model: Any, feed: Feed, hardware: Hardware, callbacks: list[L.Callback]) -> L.Trainer | None:
    """The Trainer of a plain run; None where Lightning's own loop is to run.

    Args:
        model: what to run.
        feed: what it reads.
        hardware: what to run on.
        callbacks: Lightning callbacks of the user's own.
    """
    if callbacks or feed.user_module is not None or model.has_own_hooks or current_launch() is not None:
        return None
    wanted = trainer_arguments(hardware)
    devices = wanted["devices"]
    one = devices == 1 or (isinstance(devices, list) and len(devices) == 1)
    usual = wanted["strategy"] == "auto" and wanted["num_nodes"] == 1 and wanted["deterministic"] is None
    if not (one and usual and wanted["precision"] in _PRECISIONS):
        return None
    key = wanted["accelerator"], str(devices), wanted["precision"]
    trainer = _idle.pop(key, None)  # one that runs is not there: a run on another model may begin within
    if trainer is None:
        with quiet_lightning():
            trainer = make_trainer(hardware, [])
        trainer.__dict__["_key"] = key
    return None if vars(trainer)["callbacks"] else trainer  # an installed package may bring some


@contextmanager
def plain_run(model: Any, trainer: L.Trainer, function: TrainerFn) -> Iterator[None]:
    """Within the block `trainer` counts as running on the model; afterwards the model is as it was.

    Args:
        model: what runs.
        trainer: what `trainer_for` gave.
        function: what it runs for.
    """
    trainer.strategy.setup_environment()
    state = trainer.state
    state.fn, state.stage, state.status = function, _STAGES[function], TrainerStatus.RUNNING
    before, root = model.__dict__.get("_trainer"), trainer.strategy.root_device
    home = next((weight.device for weight in model.parameters()), root)
    try:
        with running.modes_and_places_kept(model):
            if home != root:
                model.to(root)  # not in inference mode: callbacks may train, which its tensors cannot
            with torch.inference_mode():
                yield
        state.status = TrainerStatus.FINISHED
    finally:
        if home != root:
            model.to(home)  # the metrics, too
        model.__dict__["_trainer"] = before
        if state.status == TrainerStatus.RUNNING:
            state.status = TrainerStatus.INTERRUPTED
        state.stage = None
        _idle[trainer.__dict__["_key"]] = trainer
