"""Classifies any number of images in constant memory, and hands each answer to what writes it: table, file, picture."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from scene_lightning import reports
from scene_lightning._main_process import is_main_process
from scene_lightning.data.decode import Unreadable
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.image_sources.find import find_images
from scene_lightning.inference.gallery import Gallery
from scene_lightning.inference.gallery_heat_maps import heat_maps_of
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.inference.rejection import unknown_name
from scene_lightning.inference.sort_into import SortInto, check_sort_folder, without_sorted
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
    files_from: str | None = None,
    out: str | None = None,
    as_json: bool = False,
    top_k: int = 1,
    grid: str | None = None,
    html: str | None = None,
    sort_into: str | None = None,
    link: bool = False,
    explain: bool = False,
    strict: bool = False,
    accept_all: bool = False,
) -> int:
    """Name the class of each image of files, folders, archives, addresses or standard input, in one pass over them.

    A file that is written has a row for every image, in their order; where one cannot be read, it says why.

    Args:
        model: a model file or a run folder.
        paths: files, folders, globs, archives, addresses, or "-": what `find_images` takes.
        run_on: where and how the model answers.
        files_from: a file that lists more of them, or "-".
        out: a .csv, .json or .jsonl file; where nothing is written, a table is printed.
        as_json: print one JSON list instead of the table, and nothing else.
        top_k: classes that the table (and, beyond one, the JSON) names an image, most likely first.
        grid: also draw randomly chosen images with their answers.
        html: also write a page of all images with their answers.
        sort_into: also copy the images into folders of their classes or labels, in this folder.
        link: make symbolic links there instead of copies.
        explain: give the page heat maps, of what speaks for each image's class.
        strict: an unreadable image is an error; otherwise it is named and counted.
        accept_all: leave the model's rejection rule aside; otherwise an image that it rejects is "unknown".

    Returns:
        How many images could not be read; 0 in all processes but the first.

    Raises:
        InputError: no model, no images, an unknown ending, or more classes asked for than there are.
    """
    _check_targets(out, grid, html, sort_into)
    _check_companions(html, sort_into, link=link, explain=explain)
    files = _find(paths, files_from, sort_into)
    predictor = Predictor.load(model, run_on or RunOn(), several_labels=True)
    names = predictor.info.class_names
    heat_maps = heat_maps_of(predictor) if explain and is_main_process() else None
    if top_k > len(names):
        raise InputError(f"--top-k {top_k}: the model knows {len(names)} classes.")
    quiet = as_json or any((out, html, sort_into))
    with ExitStack() as opened:
        writers: list[Writer] = []
        pictured: list[Gallery | SortInto] = []
        if is_main_process():  # one process alone writes
            if out is not None:
                writers.append(opened.enter_context(file_writer(out, names, top_k)))
            if as_json:
                writers.append(opened.enter_context(json_list(sys.stdout, names, top_k)))
            elif not quiet:
                writers.append(TableWriter(sys.stdout, names, files, top_k, stop_when_closed=grid is None))
            if grid is not None:
                writers.append(opened.enter_context(_Grid(grid, files)))
            if html is not None:
                thresholds = predictor.info.thresholds
                gallery = Gallery(html, f"Predictions of {model}", names, len(files), heat_maps, thresholds)
                pictured.append(opened.enter_context(gallery))
            if sort_into is not None:
                several = predictor.info.thresholds is not None
                sorting = SortInto(sort_into, names, link=link, several_labels=several)
                pictured.append(opened.enter_context(sorting))
            writers += pictured
        skipped = _answer(predictor, files, writers, strict=strict, verbose=quiet, accept_all=accept_all)
    report_unreadable(skipped, len(files))  # every file is whole by now: it says the same of each image
    unreadable = len(skipped)
    if not is_main_process():
        return 0
    if not as_json:
        unread = f", {unreadable} could not be read" if unreadable else ""
        lines = [f"{out}: {len(files) - unreadable} images{unread}"] if out else []
        for line in [*lines, *(writer.in_words() for writer in pictured)]:
            print(line)
    return unreadable


def _check_companions(html: str | None, sort_into: str | None, *, link: bool, explain: bool) -> None:
    if link and sort_into is None:
        raise InputError("--link says how --sort-into DIR fills its folder: give that too.")
    if explain and html is None:
        raise InputError("--explain lays heat maps over the images of --html FILE.html: give that too.")


def _find(paths: Sequence[str], files_from: str | None, sort_into: str | None) -> list[str]:
    left_out = LeftOut()
    files = find_images(paths, files_from, left_out)
    say_left_out(left_out)
    if sort_into is not None:
        files = without_sorted(files, sort_into)
        if not files:
            raise InputError(f"All images lie in --sort-into {sort_into!r} itself. Expected others to sort.")
    return files


def _answer(
    predictor: Predictor,
    files: Sequence[str],
    writers: Sequence[Writer],
    *,
    strict: bool,
    verbose: bool,
    accept_all: bool,
) -> list[Unreadable]:
    """Hand the answer about each file to every writer, in their order; the files that could not be read."""
    unknown = unknown_name(predictor.info.class_names)
    rejected: set[int] = set()
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
            write(Prediction.of(predictor.info, files[position], row, unknown if position in rejected else None))

    on_rejected = None if accept_all else rejected.update
    feed = predictor.predict(
        files, take, strict=strict, verbose=verbose, on_unreadable=errors.__setitem__, on_rejected=on_rejected
    )
    write_errors(len(files))
    if rejected and is_main_process():
        images = f"{len(rejected):,} of {len(files):,} images look like none"
        print(f"{images} of the model's classes: {unknown!r} (--accept-all names a class for each)", file=sys.stderr)
    return list(feed.unreadable.values())


def _check_targets(out: str | None, grid: str | None, html: str | None, sort_into: str | None) -> None:
    """Raise InputError, before anything slow, for files that cannot be written."""
    for option, target, endings in (("--out", out, FORMATS), ("--grid", grid, (".png",)), ("--html", html, (".html",))):
        if target is not None:
            check_place(option, target, endings)
    if sort_into is not None:
        check_sort_folder(sort_into)


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
            reports.plots.prediction_grid(
                [one.path for one in self._shown],
                [one.predicted for one in self._shown],
                [one.probability for one in self._shown],
                self._path,
            )
