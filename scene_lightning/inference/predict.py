"""Classifies any number of images in constant memory, and writes a table, CSV, JSON or JSON lines."""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.data.scan import scan_images
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import InputError
from scene_lightning.inference.inputs import report_unreadable, say_left_out
from scene_lightning.inference.predictor import Predictor, Probabilities, RunOn
from scene_lightning.reports import plots

FORMATS = (".csv", ".json", ".jsonl")
GRID_IMAGES = 16
_WIDEST_PATH = 60  # columns of the terminal's table


class Writer(Protocol):
    """Takes one image's path and class probabilities (K,) after another, or why it could not be read."""

    def write(self, path: str, probabilities: Probabilities) -> None: ...

    def write_error(self, path: str, reason: str) -> None: ...


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

    with _open_writer(out, names, files, top_k) as writer:
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
    if out is not None and Path(out).suffix.lower() not in FORMATS:
        raise InputError(f"--out {out!r}: expected a name ending in {', '.join(FORMATS)}.")
    if grid is not None and Path(grid).suffix.lower() != ".png":
        raise InputError(f"--grid {grid!r}: expected a name ending in .png.")
    for target in (out, grid):
        if target is not None and not Path(target).absolute().parent.is_dir():
            raise InputError(
                f"No folder {str(Path(target).parent)!r} to write {Path(target).name!r} in. Make it first."
            )
        if target is not None and Path(target).is_dir():
            raise InputError(f"{target!r} is a folder. Expected the name of a file to write.")


def _draw_grid(shown: Sequence[tuple[str, Probabilities]], class_names: Sequence[str], path: str) -> None:
    """The grid picture of images with their predicted class and probability."""
    best = [int(np.argmax(row)) for _, row in shown]
    plots.prediction_grid(
        [image for image, _ in shown],
        [class_names[index] for index in best],
        [float(row[index]) for (_, row), index in zip(shown, best, strict=True)],
        path,
    )


@contextmanager
def _open_writer(out: str | None, class_names: Sequence[str], files: Sequence[str], top_k: int) -> Iterator[Writer]:
    """The writer for `out`; the file appears under its name only when everything is in it."""
    if not is_main_process():
        yield _NoWriter()
        return
    if out is None:
        width = min(max(map(len, files)), _WIDEST_PATH)
        yield _TableWriter(sys.stdout, class_names, width, top_k)
        return
    suffix = Path(out).suffix.lower()
    with atomic_write(out) as temporary, _text_file(temporary) as file:
        if suffix == ".csv":
            yield _CsvWriter(file, class_names)
        elif suffix == ".jsonl":
            yield _JsonLinesWriter(file, class_names, top_k)
        else:
            listed = _JsonWriter(file, class_names, top_k)
            yield listed
            listed.finish()


def _text_file(path: Path) -> IO[str]:
    """A file for UTF-8 text, in which names of files that are no UTF-8 are escaped (`\\udcff` for the byte ff)."""
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


class _NoWriter:
    """Of all processes but the first: one alone writes."""

    def write(self, path: str, probabilities: Probabilities) -> None: ...

    def write_error(self, path: str, reason: str) -> None: ...


class _CsvWriter:
    """Columns path, predicted, probability, then one a class, named after it, and error: why it could not be read."""

    def __init__(self, file: IO[str], class_names: Sequence[str]) -> None:
        self._names = class_names
        self._csv = csv.writer(file, lineterminator="\n")
        self._csv.writerow(["path", "predicted", "probability", *class_names, "error"])

    def write(self, path: str, probabilities: Probabilities) -> None:
        best = int(np.argmax(probabilities))
        numbers = [f"{value:.8g}" for value in probabilities]
        self._csv.writerow([path, self._names[best], numbers[best], *numbers, ""])

    def write_error(self, path: str, reason: str) -> None:
        self._csv.writerow([path, "", "", *[""] * len(self._names), reason])


class _JsonLinesWriter:
    """One JSON object a line: path, predicted, probability, probabilities by class name; or path and error."""

    def __init__(self, file: IO[str], class_names: Sequence[str], top_k: int) -> None:
        self._file, self._names, self._top_k = file, class_names, top_k

    def write(self, path: str, probabilities: Probabilities) -> None:
        self._put(json.dumps(self._row(path, probabilities), ensure_ascii=False))

    def write_error(self, path: str, reason: str) -> None:
        self._put(json.dumps({"path": path, "predicted": None, "error": reason}, ensure_ascii=False))

    def _put(self, row: str) -> None:
        self._file.write(row + "\n")

    def _row(self, path: str, probabilities: Probabilities) -> dict[str, Any]:
        order = np.argsort(-probabilities, kind="stable")
        values = [float(f"{value:.8g}") for value in probabilities]
        row: dict[str, Any] = {"path": path, "predicted": self._names[order[0]], "probability": values[order[0]]}
        if self._top_k > 1:
            row["top"] = [{"class": self._names[k], "probability": values[k]} for k in order[: self._top_k]]
        row["probabilities"] = dict(zip(self._names, values, strict=True))
        return row


class _JsonWriter(_JsonLinesWriter):
    """One JSON list of the same objects."""

    def __init__(self, file: IO[str], class_names: Sequence[str], top_k: int) -> None:
        super().__init__(file, class_names, top_k)
        self._separator = "[\n"

    def _put(self, row: str) -> None:
        self._file.write(self._separator + row)
        self._separator = ",\n"

    def finish(self) -> None:
        """Close the list."""
        self._file.write("[]\n" if self._separator == "[\n" else "\n]\n")


class _TableWriter:
    """Lines for people: the path, then the most likely classes with their probabilities."""

    def __init__(self, file: IO[str], class_names: Sequence[str], width: int, top_k: int) -> None:
        self._file, self._names, self._width, self._top_k = file, class_names, width, top_k
        self._class_width = max(len("predicted"), *map(len, class_names))
        self._headed = False

    def write(self, path: str, probabilities: Probabilities) -> None:
        if not self._headed:
            cell = f"  {'predicted':<{self._class_width}}  probability"
            self._file.write(f"{'path':<{self._width}}{cell * self._top_k}\n")
            self._headed = True
        order = np.argsort(-probabilities, kind="stable")[: self._top_k]
        cells = [f"  {self._names[k]:<{self._class_width}}  {probabilities[k]:>11.4f}" for k in order]
        self._file.write(f"{_shortened(path, self._width):<{self._width}}{''.join(cells)}\n")

    def write_error(self, path: str, reason: str) -> None:
        """Nothing: stderr names what could not be read."""


def _shortened(path: str, width: int) -> str:
    """The end of a long path: its beginning is what many have in common."""
    return path if len(path) <= width else "…" + path[-(width - 1) :]
