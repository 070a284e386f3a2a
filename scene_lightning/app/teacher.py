"""A trained model and the training images in; soft targets, to learn from in the labels' place, out.

Knowledge distillation (Hinton, Vinyals and Dean, 2015) with a teacher that looks once: its answer to each photograph
and to its mirror image, averaged, is mixed with the label. It is kept in the run's folder, so that a resumed run need
not ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.app.answers import Answerer, Probabilities, RunOn
from scene_lightning.app.recipe_schema import TrainingRecipe
from scene_lightning.data.feed import encode_targets
from scene_lightning.data.scan import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.saving._files import replacing

ANSWERS = "teacher.npz"


def soft_targets(training: TrainingRecipe, table: ImageTable, folder: Path) -> NDArray[np.float32]:
    """(N, K) targets: `teacher_share` of the teacher's probabilities, the rest the label.

    Raises:
        InputError: the teacher knows other classes, or cannot read one of the images.
    """
    labels = encode_targets(table.labels, len(table.class_names), "categorical")
    share = training.teacher_share
    assert training.teacher is not None
    return (1 - share) * labels + share * _answers(training.teacher, training, table, folder / ANSWERS)


def _answers(teacher: str, training: TrainingRecipe, table: ImageTable, file: Path) -> Probabilities:
    """The teacher's probabilities, (N, K): from `file`, where an earlier part of this run has left them."""
    known = np.array([teacher, *table.paths])
    if file.is_file():
        with np.load(file) as kept:
            if np.array_equal(kept["asked"], known):
                return np.asarray(kept["probabilities"], dtype=np.float32)
    answerer = Answerer.load(teacher, RunOn(training.accelerator, training.precision, 32))
    if list(answerer.info.class_names) != list(table.class_names):
        raise InputError(
            f"The teacher {teacher!r} knows the classes {', '.join(answerer.info.class_names)}; the data have "
            f"{', '.join(table.class_names)}. Expected a teacher that was trained on the same classes."
        )
    print(f"teacher   {teacher} looks at {len(table)} images", flush=True)
    found = _ask(answerer, table.paths)
    with replacing(file) as temporary, open(temporary, "wb") as out:
        np.savez_compressed(out, asked=known, probabilities=found)
    return found


def _ask(answerer: Answerer, paths: Sequence[str]) -> Probabilities:
    """Answers to the images as they are and mirrored, averaged."""
    found = np.zeros((len(paths), len(answerer.info.class_names)), dtype=np.float32)

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        found[list(positions)] += probabilities / 2

    for mirrored in (False, True):
        answerer.answer(paths, take, strict=True, verbose=False, mirrored=mirrored)
    return found
