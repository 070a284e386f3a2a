"""Reads what a run's folder holds, of finished, interrupted and older runs, for the pages about it."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scene_lightning._registry import did_you_mean
from scene_lightning.data.shards import is_sharded, read_shards
from scene_lightning.errors import InputError, SceneLightningError
from scene_lightning.inference.answers import Answers
from scene_lightning.recipes.recipe import Recipe, load_recipe
from scene_lightning.reports import run_folder
from scene_lightning.reports.metrics_file import read_metrics

TRAINED_ON, VALIDATED_ON = "trained on", "validated on"


@dataclass
class RunData:
    """All that is known of a run; what its folder lacks is None or empty.

    Attributes:
        folder: the run's.
        name: what the pages call it.
        recipe: the resolved recipe.
        record: run.json.
        metrics: name → number, one dict an epoch.
        evaluation: evaluation.json.
        answers: predictions.csv.
        images: (path, role, digest) of images.csv.
        notes: what could not be read, in sentences.
    """

    folder: Path
    name: str
    recipe: Recipe | None = None
    record: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    evaluation: dict[str, Any] | None = None
    answers: Answers | None = None
    images: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _members: dict[str, Any] | None = None  # the photographs in shards, by what they are called

    @property
    def root(self) -> str:
        """The folder of the images that were answered, as it was typed; "" where nobody knows."""
        return str((self.evaluation or {}).get("data") or "")

    @property
    def several_labels(self) -> bool:
        """Whether its images have any number of labels each."""
        if self.evaluation is not None:
            return bool(self.evaluation.get("multi_label"))
        return self.recipe is not None and self.recipe.data.multi_label is not None

    def right(self) -> tuple[int, int]:
        """How many images were answered rightly, with exactly their labels, and how many there are."""
        if self.evaluation is None:
            return 0, 0
        if self.several_labels:
            images = int(self.evaluation["images"])
            return round(self.evaluation["accuracy"] * images), images
        matrix = self.evaluation["confusion_matrix"]
        return sum(row[place] for place, row in enumerate(matrix)), sum(map(sum, matrix))

    def name_of(self, path: str) -> str:
        """An image's path below the folder that was evaluated.

        Args:
            path: as in `answers`.
        """
        relative = os.path.relpath(path, self.root) if self.root else path
        return str(path) if relative.startswith("..") else relative

    def place_of(self, path: str) -> Any:
        """Where an image is now: as the run was told, or below the folder of its record; the path where neither is.

        Args:
            path: as in `answers`.
        """
        data = self.record.get("data")
        if not isinstance(data, str) or os.path.exists(path):
            return path
        if self._members is None:
            self._members = {}
            with suppress(SceneLightningError):  # shards that are damaged by now
                if os.path.isdir(data) and is_sharded(data):
                    self._members = {one: one for table in read_shards(data) for one in table.paths}
        if path in self._members:
            return self._members[path]
        parts = Path(path).parts
        for first in range(len(parts)):  # the run may have been started in another folder
            place = os.path.join(data, *parts[first:])
            if os.path.exists(place):
                return place
        return path

    def count(self, role: str) -> int:
        """How many images have a role.

        Args:
            role: "trained on" or "validated on".
        """
        return sum(1 for _, one, _ in self.images if one == role)

    def best_epoch(self) -> tuple[int, str] | None:
        """The epoch that best.ckpt keeps, and by what; None before the first one."""
        measured = [name for name in ("val_accuracy", "val_loss") if any(name in row for row in self.metrics)]
        wanted = self.recipe.training.best_by if self.recipe is not None else None
        if not measured:
            return None
        name = wanted if wanted in measured else measured[0]
        sign = 1 if name == "val_loss" else -1
        rows = [row for row in self.metrics if math.isfinite(row.get(name, math.nan))]
        return (int(min(rows, key=lambda row: sign * row[name])["epoch"]), name) if rows else None


def read_run(path: str | os.PathLike[str]) -> RunData:
    """Read the folder of a run.

    Args:
        path: the folder.

    Raises:
        InputError: no such folder, or one that holds no run.
    """
    folder = Path(path)
    if not folder.is_dir():
        siblings = os.listdir(folder.parent) if folder.parent.is_dir() else []
        raise InputError(f"No run folder {str(path)!r}.{did_you_mean(folder.name, siblings)}")
    if not any((folder / name).is_file() for name in (run_folder.RECIPE, run_folder.METRICS, run_folder.EVALUATION)):
        raise InputError(f"{str(path)!r} holds no run. Expected a folder that `scene-lightning train` made.")
    run = RunData(folder, folder.resolve().name)
    run.recipe = _read(run, run_folder.RECIPE, lambda file: load_recipe(str(file)))
    run.record = _read(run, run_folder.RECORD, _json_object) or {}
    run.metrics = _read(run, run_folder.METRICS, _metrics) or []
    run.evaluation = _read(run, run_folder.EVALUATION, _evaluation)
    if not run.several_labels:
        run.answers = _read(run, run_folder.PREDICTIONS, Answers.read)
    elif run.evaluation is not None:
        thresholds = [one["threshold"] for one in run.evaluation["per_class"].values()]
        run.answers = _read(run, run_folder.PREDICTIONS, lambda file: Answers.read(file, thresholds))
    run.images = _read(run, run_folder.IMAGES, _images) or []
    return run


def _read(run: RunData, name: str, reader: Any) -> Any:
    """What `reader` makes of a file of the run; None, with a note, where it is damaged, and without where it lacks."""
    file = run.folder / name
    if not file.is_file():
        return None
    try:
        return reader(file)
    except (SceneLightningError, OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        first = str(error).strip().splitlines()
        run.notes.append(f"{name} could not be read: {first[0] if first else type(error).__name__}")
        return None


def _json_object(file: Path) -> dict[str, Any]:
    values = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object")
    return values


def _metrics(file: Path) -> list[dict[str, Any]]:
    rows = read_metrics(file)
    if not rows or any(row.get("epoch", 0) < 1 for row in rows):
        raise ValueError("expected a row for each epoch")
    return rows


def _evaluation(file: Path) -> dict[str, Any]:
    values = _json_object(file)
    classes, matrix = values["classes"], values["confusion_matrix"]
    whole = all(len(row) == len(classes) and all(type(count) is int for count in row) for row in matrix)
    if len(matrix) != len(classes) or not classes or not whole:
        raise ValueError("expected a confusion matrix with a row and a column for each class")
    if values.get("multi_label"):
        if type(values["images"]) is not int or not 0 <= values["accuracy"] <= 1 or values["images"] < 1:
            raise ValueError("expected a number of images, and the share of those that are right")
        if [type(one["threshold"]) for one in values["per_class"].values()] != [float] * len(classes):
            raise ValueError("expected a threshold for each label")
    return values


def _images(file: Path) -> list[tuple[str, str, str]]:
    with open(file, encoding="utf-8", newline="") as table:
        return [(row["image"], row["role"], row["hash"]) for row in csv.DictReader(table)]


def copies(run: RunData) -> dict[str, list[list[str]]]:
    """Images of equal content, by what is wrong with it: in several classes, or on both sides of the split.

    Args:
        run: its `images` count.

    Returns:
        "several classes", "both halves" and "same class" → groups of paths.
    """
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, role, digest in run.images:
        if digest.strip("0"):  # zero: it could not be read
            groups[digest].append((path, role))
    result: dict[str, list[list[str]]] = {"several classes": [], "both halves": [], "same class": []}
    for members in groups.values():
        paths = [path for path, _ in members]
        if len(paths) < 2:
            continue
        classes = set() if run.several_labels else {os.path.basename(os.path.dirname(path)) for path in paths}
        kinds = [
            *(["several classes"] if len(classes) > 1 else []),
            *(["both halves"] if len({role for _, role in members}) > 1 else []),
        ]
        for kind in kinds or ["same class"]:
            result[kind].append(paths)
    return result
