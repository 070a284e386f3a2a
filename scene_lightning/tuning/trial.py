"""A recipe in; what its network reaches on the validation share of the training images out. Nothing is written."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from scene_lightning import callbacks
from scene_lightning.data.cache import CachedImages
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.scan import Splits
from scene_lightning.inference.inputs import info_of_recipe, report_unreadable
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.runs.distillation import soft_targets
from scene_lightning.runs.inputs import decode_all
from scene_lightning.runs.train import fit_model, prepare_model

Heard = Callable[[int, float], bool]


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: "complete", "pruned" or "failed".
        accuracy: of the best epoch, 0..1, on the validation images; epoch: which, from 1; epochs: how many were done.
        seconds: of the whole trial. parameters: of the network. reason: why it failed.
    """

    state: str
    accuracy: float | None = None
    epoch: int | None = None
    epochs: int = 0
    seconds: float | None = None
    parameters: int | None = None
    reason: str = ""


class NoNumber(ArithmeticError):
    """The loss of a trial is infinite, or no number any more."""


class _Listener(callbacks.Callback):
    """Passes each epoch's accuracy on, and stops the training when it is told to."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard, self.accuracies, self.pruned = heard, [], False  # type: ignore[var-annotated]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        told = dict(logs or {})
        if not all(math.isfinite(told.get(name, 0.0)) for name in ("loss", "val_accuracy")):
            raise NoNumber(f"the loss of epoch {epoch + 1} is no finite number: a lower learning rate may help")
        self.accuracies.append(round(float(told["val_accuracy"]), 6))  # float32: more digits say nothing
        if self.heard(epoch + 1, self.accuracies[-1]):
            self.pruned = self.model.stop_training = True


@dataclass
class Bench:
    """Where trials are made: the images, decoded once for each way of reading them, and the hardware.

    Attributes:
        splits: what trials train on, and are compared on.
        hardware: `fit`'s arguments, for one device.
        shared: several processes read the images: the cache on disk is what they have in common.
        folder: where a teacher's answers are kept, for recipes that have one.
    """

    splits: Splits
    hardware: dict[str, Any]
    strict: bool = False
    shared: bool = False
    folder: Path = Path()
    _decoded: dict[tuple[DecodeSpec, str], tuple[CachedImages, CachedImages]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which finds the images in the cache."""
        return {**self.__dict__, "_decoded": {}}

    def images(self, recipe: Recipe, announce: bool = False) -> tuple[CachedImages, CachedImages]:
        """The images as `recipe` reads them; those of an earlier trial where these are the same."""
        tables = (self.splits.train, self.splits.validation)
        key = (info_of_recipe(recipe, tables[0].class_names).spec, recipe.data.cache)
        if key not in self._decoded:
            train, validation = (decode_all(recipe, table, strict=self.strict, shared=self.shared) for table in tables)
            if announce:
                for images, table in ((train, tables[0]), (validation, tables[1])):
                    report_unreadable(images.unreadable, len(table))
                    print(f"images    {images.describe()}", flush=True)
            self._decoded[key] = train, validation
        return self._decoded[key]

    def targets(self, recipe: Recipe) -> Any:
        """What the recipe's teacher makes of the labels, asked once for all trials; None without a teacher."""
        if recipe.training.teacher is None:
            return None
        return soft_targets(recipe.training, self.images(recipe)[0].table, self.folder)

    def run(self, recipe: Recipe, heard: Heard) -> Outcome:
        """Train and judge; whatever goes wrong is the outcome's reason, so that a search can go on.

        Args:
            heard: called with each epoch (from 1) and its accuracy; true ends the trial.
        """
        began, listener, model = time.perf_counter(), _Listener(heard), None
        state, reason = "complete", ""
        try:
            images, targets = self.images(recipe), self.targets(recipe)
            model = prepare_model(recipe, self.splits.train.class_names, len(images[0].table))
            fit_model(model, recipe, images, [listener], targets, verbose=0, logger=False, **self.hardware)
            state = "pruned" if listener.pruned else "complete"
        except Exception as error:
            state, reason = "failed", in_words(error)
        parameters = model.count_params() if model is not None and model.built else None
        model = None
        free_memory()
        done = listener.accuracies
        best = max(range(len(done)), key=done.__getitem__, default=None)
        return Outcome(
            state,
            accuracy=None if best is None else done[best],
            epoch=None if best is None else best + 1,
            epochs=len(done),
            seconds=round(time.perf_counter() - began, 1),
            parameters=parameters,
            reason=reason,
        )


def in_words(error: BaseException) -> str:
    """An exception as one line."""
    lines = str(error).strip().splitlines()
    said = lines[0] if lines else "no message"
    return said if isinstance(error, NoNumber | ValueError) else f"{type(error).__name__}: {said}"


def free_memory() -> None:
    """Give back what the last trial's network took."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
