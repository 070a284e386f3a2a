"""Writes what a model answered about images: a table for a terminal, CSV, JSON or JSON lines. No torch here."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.errors import InputError

FORMATS = (".csv", ".json", ".jsonl")
_WIDEST_PATH = 60  # columns of the terminal's table
Probabilities = NDArray[np.float32]


class Writer(Protocol):
    """Takes one image's path and class probabilities (K,) after another, or why it could not be read."""

    def write(self, path: str, probabilities: Probabilities) -> None: ...

    def write_error(self, path: str, reason: str) -> None: ...


def check_place(option: str, target: str, endings: Sequence[str]) -> None:
    """Raise InputError, before anything slow, for a file that cannot be written.

    Args:
        option: the option that names it, for the message.
        target: the file.
        endings: what its name may end in.
    """
    if Path(target).suffix.lower() not in endings:
        raise InputError(f"{option} {target!r}: expected a name ending in {', '.join(endings)}.")
    if not Path(target).absolute().parent.is_dir():
        raise InputError(f"No folder {str(Path(target).parent)!r} to write {Path(target).name!r} in. Make it first.")
    if Path(target).is_dir():
        raise InputError(f"{target!r} is a folder. Expected the name of a file to write.")


@contextmanager
def open_writer(out: str | None, class_names: Sequence[str], files: Sequence[str], top_k: int) -> Iterator[Writer]:
    """The writer for `out`; the file appears under its name only when everything is in it.

    Args:
        out: a .csv, .json or .jsonl file; None for a table on the terminal.
        class_names: in the order of the probabilities.
        files: all that will be written, in their order.
        top_k: how many classes are named an image.
    """
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
