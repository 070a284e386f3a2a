"""Records which images a run trains on and which choose its epoch: for people, and for the files of its models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import SceneLightningError
from scene_lightning.inference.images_seen import CHOSE, TRAINED, WATCHED, ImagesSeen, digests_of, write_images
from scene_lightning.models import load_model
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports import run_folder
from scene_lightning.runs.resume_checkpoint import Resume


def seen_by_run(
    recipe: Recipe, train: ImageTable, validation: ImageTable, folder: Path, earlier: Resume | None
) -> tuple[str | None, str | None]:
    """Write the run's images.csv, and return what its best.ckpt and its last.ckpt are to keep of it.

    Processes other than the first write nothing and return None twice.

    Args:
        train, validation: the images, those that cannot be read left out.
        earlier: what the run goes on from: its images count too.
        recipe: it names the teachers, and the model that it begins with.
        folder: the run's.
    """
    if not is_main_process():
        return None, None
    trained, validated = digests_of(train.paths), digests_of(validation.paths)
    if twice := int(np.isin(validated, trained).sum()):
        message = f"{twice} of the validation images are trained on too: figures are too good"
        print(labelled("note", message), flush=True)
    write_images(
        folder / run_folder.IMAGES,
        {"trained on": (train.paths, trained), "validated on": (validation.paths, validated)},
    )
    seen = ImagesSeen({TRAINED: np.unique(trained)}, complete=True)
    if recipe.model.initial_weights is not None:
        seen = seen.after(_of_model(recipe.model.initial_weights))
    if earlier is not None:
        seen = seen.after(ImagesSeen.of_text(earlier.section["images_seen"]))
    for teacher in _teachers(recipe):
        seen = seen.taught_by(_of_model(teacher))
    stopped_by_it = recipe.training.early_stopping is not None
    best, last = seen.and_also(CHOSE, validated), seen.and_also(CHOSE if stopped_by_it else WATCHED, validated)
    return best.as_text(), last.as_text()


def _teachers(recipe: Recipe) -> tuple[str, ...]:
    named = recipe.training.teacher
    return () if named is None else (named,) if isinstance(named, str) else tuple(named)


def _of_model(name: str) -> ImagesSeen:
    """Nothing known where its file has gone since it answered (a resumed run need not have it)."""
    try:
        return ImagesSeen.of_model(load_model(str(run_folder.find_model(name)), compile=False))
    except SceneLightningError:
        return ImagesSeen()
