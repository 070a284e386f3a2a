"""Searches without training, for tests: a study in a file, and trials whose accuracy follows from what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scene_lightning.recipes.recipe import Recipe, load_recipe
from scene_lightning.tuning.space import load_space
from scene_lightning.tuning.storage import opened
from scene_lightning.tuning.study import Search
from scene_lightning.tuning.trial import Outcome, TrialRunner

RECIPE = """
model: {filters: [4], dense: [], input_size: [16, 16], dropout: 0, dense_dropout: 0}
data: {interpolation: bilinear, val_split: 0.25}
training: {epochs: 2, batch_size: 16, accelerator: cpu, early_stopping: off}
"""
SPACE = """
learning_rate: {type: float, low: 1e-3, high: 1e-1, log: true}
batch_size: {type: int, low: 8, high: 32, step: 8}
filters: {type: layers, low: 1, high: 2, width: [2, 4]}
"""
DATA = {"classes": ["a", "b"], "images": "8 to train on, 2 to judge by"}


@contextmanager
def search_in(place: Path, file: Path, trials: int, *overrides: str, space: str = "space.yaml") -> Iterator[Search]:
    recipe = load_recipe(place / "tiny.yaml", overrides)
    with opened(file) as study:
        yield Search(study, file, recipe, load_space(str(place / space), recipe), trials, DATA)


class FakeRunner(TrialRunner):
    """Trials whose accuracy follows from the learning rate alone; what was drawn for each."""

    def __init__(self, folder: Path = Path(), cut: int | None = None, on: Callable[[], object] = list) -> None:
        super().__init__(None, {"accelerator": "cpu"}, folder=folder)  # type: ignore[arg-type]
        self.seen: list[tuple[object, ...]] = []
        self.cut, self.on = cut, on

    def run(self, recipe: Recipe, trial: Any) -> Outcome:
        drawn = (recipe.training.learning_rate, recipe.training.batch_size, recipe.model.filters)
        self.seen.append(drawn)
        if len(self.seen) == self.cut:
            self.on()
        accuracy = 1 - abs(np.log10(recipe.training.learning_rate or 1) + 2) / 2
        return Outcome(state="complete", accuracy=float(accuracy), epoch=1, epochs=2)


def finish(search: Search, most: int = 1000) -> list[tuple[object, ...]]:
    """Run at most so many trials; what was drawn for each."""
    runner = FakeRunner()
    search.run(runner, lambda: len(runner.seen) >= most)
    return runner.seen


def interrupt() -> None:
    raise KeyboardInterrupt
