"""Makes the soft targets of knowledge distillation: the labels mixed with trained models' predictions.

Knowledge distillation (Hinton, Vinyals and Dean, 2015) with teachers that look once: their answers to each photograph
and to its mirror image, averaged, are mixed with the label. They are kept in the run's folder, so that a resumed run
need not ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning._terminal import labelled
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.feeds.images import encode_targets
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.recipes.schema import TrainingRecipe

ANSWERS = "teacher.npz"


def soft_targets(training: TrainingRecipe, table: ImageTable, folder: Path) -> NDArray[np.float32]:
    """Make (N, K) targets: `distillation_weight` of the teachers' mean probabilities, the rest the label.

    Args:
        training: the recipe's section; it names the teachers.
        table: the N training images.
        folder: the run's, which keeps the teachers' predictions.

    Raises:
        InputError: a teacher knows other classes, or cannot read one of the images.
    """
    labels = encode_targets(table.labels, len(table.class_names), "categorical")
    share = training.distillation_weight
    assert training.teacher is not None
    teachers = (training.teacher,) if isinstance(training.teacher, str) else training.teacher
    return (1 - share) * labels + share * _answers(teachers, training, table, folder / ANSWERS)


def _answers(teachers: Sequence[str], training: TrainingRecipe, table: ImageTable, file: Path) -> Probabilities:
    """The teachers' mean probabilities, (N, K): from `file`, where an earlier part of this run has left them."""
    known = np.array([*teachers, *table.paths])
    if file.is_file():
        with np.load(file) as kept:
            if np.array_equal(kept["asked"], known):
                return np.asarray(kept["probabilities"], dtype=np.float32)
    answerers = [_load(teacher, training, table) for teacher in teachers]  # all are checked before the first looks
    probabilities = np.zeros((len(table), len(table.class_names)), dtype=np.float32)
    for teacher, predictor in zip(teachers, answerers, strict=True):
        print(labelled("teacher", f"{teacher} looks at {len(table)} images"), flush=True)
        probabilities += _ask(predictor, table.paths) / len(teachers)
    with atomic_write(file) as temporary, open(temporary, "wb") as out:
        np.savez_compressed(out, asked=known, probabilities=probabilities)
    return probabilities


def _load(teacher: str, training: TrainingRecipe, table: ImageTable) -> Predictor:
    predictor = Predictor.load(teacher, RunOn(training.accelerator, training.precision, 32))
    if list(predictor.info.class_names) != list(table.class_names):
        raise InputError(
            f"The teacher {teacher!r} knows the classes {', '.join(predictor.info.class_names)}; the data have "
            f"{', '.join(table.class_names)}. Expected a teacher that was trained on the same classes; "
            "--set teacher=null trains without one."
        )
    return predictor


def _ask(predictor: Predictor, paths: Sequence[str]) -> Probabilities:
    """Answers to the images as they are and mirrored, averaged."""
    plain, mirrored = (predictor.probabilities(paths, mirrored=way) for way in (False, True))
    return np.asarray((plain + mirrored) / 2, dtype=np.float32)
