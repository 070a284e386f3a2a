"""Classifies any number of images in constant memory, and hands each answer to what writes it: table, file, picture."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from scene_lightning._main_process import is_main_process
from scene_lightning.data.scan import scan_images
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.reports import plots
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.reports.prediction_files import (
    FORMATS,
    Prediction,
    TableWriter,
    Writer,
    check_place,
    file_writer,
    json_list,
)

GRID_IMAGES = 16


def predict(
    model: str,
    paths: Sequence[str],
    run_on: RunOn | None = None,
    *,
    out: str | None = None,
    as_json: bool = False,
    top_k: int = 1,
    grid: str | None = None,
    strict: bool = False,
) -> int:
    """Name the class of each image of files, folders and globs.

    A file that is written has a row for every image, in their order; where one cannot be read, it says why.

    Args:
        model: a model file or a run folder.
        paths: files, folders and globs.
        run_on: where and how the model answers.
        out: a .csv, .json or .jsonl file; None prints a table.
        as_json: print one JSON list instead of the table, and nothing else.
        top_k: classes that the table (and, beyond one, the JSON) names an image, most likely first.
        grid: also draw randomly chosen images with their answers.
        strict: an unreadable image is an error; otherwise it is named and counted.

    Returns:
        How many images could not be read; 0 in all processes but the first.

    Raises:
        InputError: no model, no images, an unknown ending, or more classes asked for than there are.
    """
    _check_targets(out, grid)
    left_out = LeftOut()
    files = scan_images(paths, left_out=left_out)
    say_left_out(left_out)
    predictor = Predictor.load(model, run_on or RunOn())
    names = predictor.info.class_names
    if top_k > len(names):
        raise InputError(f"--top-k {top_k}: the model knows {len(names)} classes.")
    with ExitStack() as open_files:
        writers: list[Writer] = []
        if is_main_process():  # one process alone writes
            if out is not None:
                writers.append(open_files.enter_context(file_writer(out, names, top_k)))
            if as_json:
                writers.append(open_files.enter_context(json_list(sys.stdout, names, top_k)))
            elif out is None:
                writers.append(TableWriter(sys.stdout, names, files, top_k, stop_when_closed=grid is None))
            if grid is not None:
                writers.append(open_files.enter_context(_Grid(grid, files)))
        unreadable = _answer(predictor, files, writers, strict=strict, verbose=out is not None or as_json)
    if not is_main_process():
        return 0
    if out and not as_json:
        unread = f", {unreadable} could not be read" if unreadable else ""
        print(f"{out}: {len(files) - unreadable} images{unread}")
    return unreadable


def _answer(
    predictor: Predictor, files: Sequence[str], writers: Sequence[Writer], *, strict: bool, verbose: bool
) -> int:
    """Hand the answer about each file to every writer, in their order; how many could not be read."""
    names = predictor.info.class_names
    errors: dict[int, str] = {}  # reasons by position, of what is not written yet

    def write(prediction: Prediction) -> None:
        for writer in writers:
            writer.write(prediction)

    def write_errors(before: int) -> None:
        for position in [position for position in errors if position < before]:
            write(Prediction(files[position], error=errors.pop(position)))

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        for position, row in zip(positions, probabilities, strict=True):
            write_errors(position)
            write(Prediction(files[position], names[int(np.argmax(row))], row))

    feed = predictor.predict(files, take, strict=strict, verbose=verbose, on_unreadable=errors.__setitem__)
    write_errors(len(files))
    report_unreadable(list(feed.unreadable.values()), len(files))
    return len(feed.unreadable)


def _check_targets(out: str | None, grid: str | None) -> None:
    """Raise InputError, before anything slow, for files that cannot be written."""
    if out is not None:
        check_place("--out", out, FORMATS)
    if grid is not None:
        check_place("--grid", grid, (".png",))


class _Grid:
    """Draws some of the images with their predicted class and probability, when all are answered.

    Args:
        path: of the picture.
        files: all images; which are drawn is chosen before anything is known about them, and the same at every call.
    """

    def __init__(self, path: str, files: Sequence[str]) -> None:
        self._path = path
        self._wanted = set(random.Random(0).sample(range(len(files)), min(GRID_IMAGES, len(files))))
        self._position, self._shown = 0, list[Prediction]()

    def write(self, prediction: Prediction) -> None:
        if self._position in self._wanted and prediction.probabilities is not None:
            self._shown.append(prediction)
        self._position += 1

    def __enter__(self) -> _Grid:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._shown:
            plots.prediction_grid(
                [one.path for one in self._shown],
                [one.predicted for one in self._shown],
                [one.probability for one in self._shown],
                self._path,
            )
