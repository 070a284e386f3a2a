"""The demo: draws scenes, trains on them, evaluates, predicts and plots, in one run folder."""

from __future__ import annotations

from collections.abc import Sequence

from scene_lightning._main_process import is_main_process
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.inference.predict import predict
from scene_lightning.inference.predictor import RunOn
from scene_lightning.recipes.recipe import Override, load_recipe
from scene_lightning.reports import run_folder
from scene_lightning.runs.train import FinishedRun, train

TRAIN_PER_CLASS, TEST_PER_CLASS, PREDICTED = 160, 40, 48
DATA, PREDICTIONS, GRID = "data", "new_scenes.csv", "new_scenes.png"  # predictions.csv is the run's own


def demo(*, out: str | None = None, overrides: Sequence[Override] = ()) -> FinishedRun:
    """Draw scenes, train the demo recipe on them, evaluate, predict, draw; the run, whose folder holds all of it.

    Args:
        out: the folder; None makes runs/demo-<date>-<time>.
        overrides: `key=value` for the demo recipe.
    """
    recipe = load_recipe("demo", overrides)
    folder = run_folder.make_run_folder(recipe.name, out)
    data = folder / DATA
    if is_main_process():
        print(f"drawing {6 * (TRAIN_PER_CLASS + TEST_PER_CLASS) + PREDICTED} scenes in {data} ...", flush=True)
        draw_scenes(data, TRAIN_PER_CLASS, test_per_class=TEST_PER_CLASS, predict=PREDICTED)
    run = train(str(data), recipe=recipe, out=str(folder))
    if run.evaluation is None:
        return run
    run_on = RunOn(recipe.training.accelerator, recipe.training.precision)
    table, grid = folder / PREDICTIONS, folder / GRID
    predict(str(folder), [str(data / "seg_pred")], run_on, out=str(table), grid=str(grid))
    return run
