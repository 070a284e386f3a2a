"""Finds the photographs on which an exported file is judged: given ones, those held out of training, or drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scene_lightning.data.label_file import match_labels
from scene_lightning.data.label_folders import find_label_tables, has_several_labels
from scene_lightning.data.scan import class_folders, scan_images
from scene_lightning.data.table import ImageTable
from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene
from scene_lightning.inference.evaluate import labelled_images
from scene_lightning.inference.held_out import held_out_images, training_images
from scene_lightning.inference.predictor import Predictor
from scene_lightning.reports.run_folder import find_model
from scene_lightning.runs.run_record import RunRecord

_DRAWN_OF_A_KIND = 8
_SIZES = (96, 150, 231)  # pixels a side


@dataclass(frozen=True)
class Photographs:
    """What a file is judged on.

    Attributes:
        paths: of the files.
        source: where they are from, in words.
        truth: (N, K) of bool, the classes that each one shows: one, or any number of labels; None where nobody knows.
    """

    paths: Sequence[str]
    source: str
    truth: NDArray[np.bool_] | None = None

    @classmethod
    def of_table(cls, table: ImageTable, source: str) -> Photographs:
        """Labelled photographs."""
        one_class = table.labels[:, None] == np.arange(len(table.class_names))
        return cls(table.paths, source, one_class if table.targets is None else table.targets > 0)


def photographs_for(predictor: Predictor, model: str, check: str | None, data: str | None, folder: Path) -> Photographs:
    """The photographs to judge on: `check`; else those held out of training; else pictures that are drawn.

    Args:
        predictor: the loaded model.
        model: the name that it was given by; in a run's folder lies where its data is.
        check: a folder of photographs, of class folders or not, or None.
        data: the folder that the model was trained on; None for what its run says.
        folder: where pictures may be drawn.

    Raises:
        InputError: no photographs there.
    """
    if check is not None:
        source = f"photographs of {check}"
        if (table := _labelled(predictor, check)) is not None:
            return Photographs.of_table(table, source)
        return Photographs(scan_images([check]), source)
    trained_on = data or _data_of_run(model)
    if trained_on is not None and predictor.model._recipe:
        return Photographs.of_table(held_out_images(predictor, trained_on), "photographs that training held out")
    return Photographs(_drawn(folder), "generated pictures, for want of photographs (--check DATA)")


def _labelled(predictor: Predictor, folder: str) -> ImageTable | None:
    """The photographs of a folder with their classes or labels; None where it does not say these."""
    if not Path(folder).is_dir():
        return None
    if predictor.info.thresholds is None:
        return labelled_images(folder, predictor.info) if class_folders(folder) else None
    recipe = predictor.model._recipe
    multi_label = recipe["data"].get("multi_label") if recipe else None
    if not has_several_labels(folder, multi_label):
        return None
    return match_labels(find_label_tables(folder, multi_label)[-1], predictor.info.class_names)


def training_photographs(predictor: Predictor, model: str, data: str | None, count: int) -> list[str] | None:
    """Some of the photographs that a model was trained on, evenly from all; None where nobody knows where they are.

    Args:
        predictor: the loaded model.
        model: the name that it was given by.
        data: the folder that the model was trained on; None for what its run says.
        count: how many, at most.
    """
    trained_on = data or _data_of_run(model)
    if trained_on is None:
        return None
    paths = training_images(predictor, trained_on).paths if predictor.model._recipe else scan_images([trained_on])
    order = np.random.default_rng(0).permutation(len(paths))[:count]
    return [paths[place] for place in order]


def _data_of_run(model: str) -> str | None:
    """The data folder of the run in whose folder a model lies, where that is still there."""
    record = RunRecord.read(find_model(model).parent)
    return record.data if record is not None and Path(record.data).is_dir() else None


def _drawn(folder: Path) -> list[str]:
    """Draw scenes of several sizes, and the same with noise: PNG files."""
    paths = []
    random = np.random.default_rng(0)
    for kind in SCENE_NAMES:
        for number in range(_DRAWN_OF_A_KIND):
            image = draw_scene(kind, number, size=_SIZES[number % len(_SIZES)])
            if number % 2:  # landscape, grainy
                image = image.crop((0, image.height // 5, image.width, image.height))
                grain = random.normal(0, 12, (image.height, image.width, 3))
                image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
            path = folder / f"{kind}_{number}.png"
            image.save(path)
            paths.append(str(path))
    return paths
