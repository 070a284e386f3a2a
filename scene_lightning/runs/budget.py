"""Keeps a run within its budget of time: ends the training early enough to judge its best checkpoint."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L

from scene_lightning._atomic_write import write_text
from scene_lightning._main_process import is_main_process
from scene_lightning.recipes.recipe import Recipe, dump_recipe, with_values
from scene_lightning.recipes.values import seconds_in
from scene_lightning.reports.named_files import name_files
from scene_lightning.reports.run_folder import RECIPE

_STEPS_KEPT = 20
_CAUTION = 1.25  # other work may slow this machine down
SECONDS_TO_END = 4.0  # curves, tables, the confusion matrix; a checkpoint or two


class Clock:
    """The time that a run has taken, and how much of it reading an image took.

    Args:
        spent: seconds that it took before, where it goes on.

    Attributes:
        decoding: seconds to decode an image, as far as it is known.
    """

    def __init__(self, spent: float = 0.0) -> None:
        self._began = time.monotonic() - spent
        self.decoding = 0.0

    def seconds(self) -> float:
        """Seconds since the run began, pauses left out."""
        return time.monotonic() - self._began

    @contextmanager
    def timing_decoding(self, images: int) -> Iterator[None]:
        """Note how long the block takes to decode an image.

        Args:
            images: how many it decodes.
        """
        began = time.monotonic()
        yield
        self.decoding = (time.monotonic() - began) / max(1, images)

    def add(self, spent: float) -> None:
        """Count the time that the run took before it was interrupted.

        Args:
            spent: in seconds.
        """
        self._began -= spent


def ends_in_time(recipe: Recipe) -> bool:
    """Whether a run may end before its last epoch has.

    Args:
        recipe: the recipe of the run.
    """
    return recipe.training.budget is not None or recipe.training.max_steps is not None


class EndInTime(L.Callback):
    """Ends the training, after the step in flight, where the budget leaves only the time to validate and judge; or at
    the step at which it ended when the run was first made (`training.max_steps`).

    The step is kept in the run's recipe, so that the run can be repeated to the bit.

    Args:
        recipe: of the run.
        folder: the run's.
        clock: of the run.
        judged: images to validate on.
    """

    def __init__(self, recipe: Recipe, folder: Path, clock: Clock, judged: int) -> None:
        training = recipe.training
        self._recipe, self._folder, self._clock, self._judged = recipe, folder, clock, judged
        self._budget = None if training.max_steps else seconds_in(training.budget or "")
        self._validation = 0.0  # seconds of the last one
        self._began = 0.0
        self._steps: deque[float] = deque(maxlen=_STEPS_KEPT)  # seconds an image

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self._clock.seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._clock.add(float(state_dict.get("spent", 0.0)))

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self._recipe.training.max_steps is not None:
            if trainer.global_step >= self._recipe.training.max_steps:
                trainer.should_stop = True
            return
        if self._budget is None or trainer.is_last_batch:
            return
        if batch_idx:  # the first one sets things up
            self._steps.append((time.monotonic() - self._began) / max(1, len(batch[0])))
        is_up = self._clock.seconds() + self._to_end() > self._budget
        if is_up if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(is_up, all=False):
            self._stop(trainer, pl_module, f"after {batch_idx + 1} of {trainer.num_training_batches} steps")

    def _to_end(self) -> float:
        """Seconds that validation, the evaluation of the best checkpoint and the run's files will take."""
        step = statistics.median(self._steps) if len(self._steps) > 3 else 0.0  # single ones say little
        validation = self._validation or self._judged * step
        judging = 2 * validation  # in float32
        return _CAUTION * (validation + judging + self._judged * self._clock.decoding) + SECONDS_TO_END

    def _stop(self, trainer: L.Trainer, model: Any, place: str) -> None:
        trainer.should_stop = True
        self._recipe = with_values(self._recipe, {"training.max_steps": trainer.global_step})
        model._recipe = name_files(self._recipe.model_dump(mode="json"))  # as the checkpoint of this epoch keeps it
        if is_main_process():
            write_text(self._folder / RECIPE, dump_recipe(self._recipe))
            print(
                f"\nbudget    {self._recipe.training.budget} are up in epoch {trainer.current_epoch + 1} of "
                f"{trainer.max_epochs}, {place}", flush=True,
            )  # fmt: skip

    def on_validation_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._began = time.monotonic()

    def on_validation_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._validation = time.monotonic() - self._began

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Stop between two epochs where there is no time for another one's first steps and its validation."""
        if self._budget is None or trainer.should_stop or trainer.current_epoch + 1 >= (trainer.max_epochs or 0):
            return
        is_up = self._clock.seconds() + self._to_end() > self._budget
        if is_up if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(is_up, all=False):
            self._stop(trainer, pl_module, "at its end")
