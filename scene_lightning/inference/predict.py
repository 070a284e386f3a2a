"""Classifies any number of images in constant memory, and writes a table, CSV, JSON or JSON lines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from scene_lightning._main_process import is_main_process
from scene_lightning.data.scan import scan_images
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.reports import plots
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.reports.prediction_files import FORMATS, check_place, open_writer

GRID_IMAGES = 16


def predict(
    model: str,
    paths: Sequence[str],
    run_on: RunOn | None = None,
    *,
    out: str | None = None,
    top_k: int = 1,
    grid: str | None = None,
    strict: bool = False,
) -> int:
    """Name the class of each image of files, folders and globs.

    A file that is written has a row for every image, in their order; where one cannot be read, it says why.

    Args:
        out: a .csv, .json or .jsonl file; None prints a table.
        top_k: classes that the table (and, beyond one, the JSON) names an image, most likely first.
        grid: also draw randomly chosen images with their answers.
        strict: an unreadable image is an error; otherwise it is named and counted.
        model: a model file or a run folder.
        paths: files, folders and globs.
        run_on: where and how the model answers.

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
    # Chosen before anything is known about them, and the same at every call.
    wanted = set(random.Random(0).sample(range(len(files)), min(GRID_IMAGES, len(files)))) if grid else set()
    shown: list[tuple[str, Probabilities]] = []
    errors: dict[int, str] = {}  # reasons by position, of what is not written yet

    def write_errors(before: int) -> None:
        for position in [position for position in errors if position < before]:
            writer.write_error(files[position], errors.pop(position))

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        for position, row in zip(positions, probabilities, strict=True):
            write_errors(position)
            writer.write(files[position], row)
            if position in wanted:
                shown.append((files[position], row))

    with open_writer(out, names, files, top_k) as writer:
        feed = predictor.predict(files, take, strict=strict, verbose=out is not None, on_unreadable=errors.__setitem__)
        write_errors(len(files))
    report_unreadable(list(feed.unreadable.values()), len(files))
    if not is_main_process():
        return 0
    if grid:
        _draw_grid(shown, names, grid)
    unreadable = len(feed.unreadable)
    if out:
        unread = f", {unreadable} could not be read" if unreadable else ""
        print(f"{out}: {len(files) - unreadable} images{unread}")
    return unreadable


def _check_targets(out: str | None, grid: str | None) -> None:
    """Raise InputError, before anything slow, for files that cannot be written."""
    if out is not None:
        check_place("--out", out, FORMATS)
    if grid is not None:
        check_place("--grid", grid, (".png",))


def _draw_grid(shown: Sequence[tuple[str, Probabilities]], class_names: Sequence[str], path: str) -> None:
    """The grid picture of images with their predicted class and probability."""
    best = [int(np.argmax(row)) for _, row in shown]
    plots.prediction_grid(
        [image for image, _ in shown],
        [class_names[index] for index in best],
        [float(row[index]) for (_, row), index in zip(shown, best, strict=True)],
        path,
    )
