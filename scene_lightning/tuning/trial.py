"""Trains the network of one trial's recipe and measures it on a share of the training images; writes nothing."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from scene_lightning import callbacks, metrics
from scene_lightning.data.cache import CachedImages
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.table import Splits
from scene_lightning.inference.inputs import info_of_recipe
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.runs.distillation import soft_targets
from scene_lightning.runs.inputs import decode_all, training_feed
from scene_lightning.runs.prepare import prepare_model
from scene_lightning.runs.train import fit_model


class Reports(Protocol):
    """What training needs of Optuna's trial: to report each epoch's accuracy, and to ask whether to go on."""

    def report(self, value: float, step: int) -> None: ...
    def should_prune(self) -> bool: ...


def measure_of(recipe: Recipe) -> str:
    """What trials are compared by, as `fit` logs it after `val_`: accuracy, or the labels' mean average precision.

    Args:
        recipe: that is varied.
    """
    return "accuracy" if recipe.data.multi_label is None else "mean_average_precision"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: "complete", "pruned" or "failed".
        accuracy: of the best epoch, 0..1, on the validation images, or what else `measure_of` names; None when no epoch
            was finished.
        epoch: the best one, from 1.
        epochs: how many were done.
        seconds: of the whole trial.
        parameters: of the network.
        reason: why it failed.
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


class PruningCallback(callbacks.Callback):
    """Reports each epoch's accuracy to a trial, and stops the training of one that is worse than the median.

    Args:
        trial: Optuna's.
        epochs: how many the trial has; nothing is gained by stopping at the last one.
        measure: what is reported: the log's name after `val_`.
    """

    def __init__(self, trial: Reports, epochs: int, measure: str = "accuracy") -> None:
        super().__init__()
        self._measure = f"val_{measure}"
        self.trial, self.epochs, self.pruned = trial, epochs, False
        self.accuracies: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        if not all(math.isfinite(logs.get(name, 0.0)) for name in ("loss", self._measure)):
            raise NoNumber(f"the loss of epoch {epoch + 1} is no finite number: a lower learning rate may help")
        self.accuracies.append(round(float(logs[self._measure]), 6))  # float32: more digits say nothing
        self.trial.report(self.accuracies[-1], epoch + 1)
        if epoch + 1 < self.epochs and self.trial.should_prune():
            self.pruned = self.model.stop_training = True


@dataclass
class TrialRunner:
    """Trains trials on one device, on images that are decoded once for each way of reading them.

    Attributes:
        splits: what trials train on, and are compared on.
        hardware: `fit`'s arguments, for one device.
        strict: an unreadable image is an error.
        shared: several processes read the images: the cache on disk is what they have in common.
        folder: where a teacher's predictions are kept, for recipes that have one.
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
        """The training and validation images as `recipe` reads them; those of an earlier trial where it reads alike.

        Args:
            recipe: its `data` section and input size say how.
            announce: print what they take and which could not be read.
        """
        tables = (self.splits.train, self.splits.validation)
        key = (info_of_recipe(recipe, tables[0].class_names).spec, recipe.data.cache)
        if key not in self._decoded:
            train, validation = (decode_all(recipe, table, strict=self.strict, shared=self.shared) for table in tables)
            if announce:
                for images, table in ((train, tables[0]), (validation, tables[1])):
                    say_left_out(table.left_out, table.root)
                    report_unreadable(images.unreadable, len(table))
                    print(f"images    {images.describe()}", flush=True)
            self._decoded[key] = train, validation
        return self._decoded[key]

    def run(self, recipe: Recipe, trial: Reports) -> Outcome:
        """Train and measure; whatever goes wrong is the outcome's reason, so that a search can go on.

        Args:
            recipe: what to train.
            trial: told of each epoch (from 1) and its accuracy; it may end the training.
        """
        began, model = time.perf_counter(), None
        pruning = PruningCallback(trial, recipe.training.epochs, measure_of(recipe))
        state, reason = "complete", ""
        try:
            images = self.images(recipe)
            feed = training_feed(recipe, images[0], self.targets(recipe))
            names, measures = self.splits.train.class_names, list[metrics.Metric]()
            if recipe.data.multi_label is not None:
                measures = [metrics.AUC(curve="PR", multi_label=True, num_labels=len(names), name=measure_of(recipe))]
            model = prepare_model(recipe, names, len(images[0].table), more_metrics=measures)
            fit_model(model, recipe, images, [pruning], feed, verbose=0, logger=False, **self.hardware)
            state = "pruned" if pruning.pruned else "complete"
        except Exception as error:
            lines = str(error).strip().splitlines() or ["no message"]
            kind = "" if isinstance(error, NoNumber | ValueError) else f"{type(error).__name__}: "
            state, reason = "failed", kind + lines[0]
        parameters = model.count_params() if model is not None and model.built else None
        model = None  # its memory is given back before the next trial
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        accuracy = max(pruning.accuracies, default=None)
        return Outcome(
            state=state,
            accuracy=accuracy,
            epoch=None if accuracy is None else pruning.accuracies.index(accuracy) + 1,
            epochs=len(pruning.accuracies),
            seconds=round(time.perf_counter() - began, 1),
            parameters=parameters,
            reason=reason,
        )

    def targets(self, recipe: Recipe) -> Any:
        """What the recipe's teacher makes of the labels, asked once for all trials; None without a teacher."""
        if recipe.training.teacher is None:
            return None
        return soft_targets(recipe.training, self.images(recipe)[0].table, self.folder)
