"""Writes what a model answered about each image: a table for a terminal, CSV, JSON or JSON lines. No torch here."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import InputError
from scene_lightning.pages.page import printable

FORMATS = (".csv", ".json", ".jsonl")
_WIDEST_PATH = 60  # columns of the terminal's table
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What a model answered about one image, or why it could not.

    Attributes:
        path: of the image, as it is shown.
        predicted: the name of the likeliest class, or `unknown`; "" where the image could not be read.
        probabilities: (K,), in the order of the class names; None where the image could not be read.
        error: why it could not be read; "" where it could.
        labels: of a model that gives an image any number of labels, those with their probabilities; `predicted` has
            their names joined by ";".
    """

    path: str
    predicted: str = ""
    probabilities: Probabilities | None = None
    error: str = ""
    labels: Mapping[str, float] | None = None

    @classmethod
    def of(cls, info: ImageInfo, path: str, probabilities: Probabilities, unknown: str | None = None) -> Prediction:
        """The answer of a model that could read the image.

        Args:
            info: the model's.
            path: of the image.
            probabilities: (K,), in the order of the class names.
            unknown: what an image of none of the classes is called, where the model's rejection rule says that it is
                one; None otherwise.
        """
        names = info.class_names
        if info.thresholds is None:
            return cls(path, unknown or names[int(np.argmax(probabilities))], probabilities)
        labels = info.labels_of(probabilities.tolist())
        return cls(path, ";".join(labels), probabilities, labels=labels)

    @property
    def probability(self) -> float:
        """Of the likeliest class; 0 where the image could not be read."""
        return 0.0 if self.probabilities is None else float(self.probabilities.max())


class Writer(Protocol):
    """Takes one answer after another."""

    def write(self, prediction: Prediction) -> None: ...


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
    """Gives what writes `out`, or a table on the terminal; of several processes the first one writes.

    Args:
        out: a .csv, .json or .jsonl file; None for a table on the terminal.
        class_names: in the order of the probabilities.
        files: all that will be written, in their order.
        top_k: how many classes are named an image.
    """
    if not is_main_process():
        yield _NoWriter()
    elif out is None:
        yield TableWriter(sys.stdout, class_names, files, top_k)
    else:
        with file_writer(out, class_names, top_k) as writer:
            yield writer


class _NoWriter:
    """Of all processes but the first: one alone writes."""

    def write(self, prediction: Prediction) -> None: ...


@contextmanager
def file_writer(out: str, class_names: Sequence[str], top_k: int) -> Iterator[Writer]:
    """Gives what writes a file of answers, which appears under its name only when everything is in it.

    Args:
        out: the file; its ending is one of `FORMATS`.
        class_names: in the order of the model's outputs.
        top_k: classes that JSON names an image, most likely first; 1 for the predicted one alone.
    """
    suffix = Path(out).suffix.lower()
    with atomic_write(out) as temporary, text_file(temporary) as file:
        if suffix == ".csv":
            yield CsvWriter(file, class_names)
        elif suffix == ".jsonl":
            yield JsonLinesWriter(file, class_names, top_k)
        else:
            with json_list(file, class_names, top_k) as writer:
                yield writer


@contextmanager
def json_list(file: IO[str], class_names: Sequence[str], top_k: int) -> Iterator[Writer]:
    """Gives what writes one JSON list of the answers.

    Args:
        file: where the text goes.
        class_names, top_k: as for `file_writer`.
    """
    writer = _JsonWriter(file, class_names, top_k)
    yield writer
    writer.finish()


def text_file(path: Path) -> IO[str]:
    """Open a file for UTF-8 text, in which names of files that are no UTF-8 are escaped (`\\udcff` for the byte ff).

    Args:
        path: of the file.
    """
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


class CsvWriter:
    """Columns path, predicted, probability, then one a class, named after it, and error: why it could not be read.

    Args:
        file: where the text goes.
        class_names: in the order of the model's outputs.
    """

    def __init__(self, file: IO[str], class_names: Sequence[str]) -> None:
        self._blank = [""] * len(class_names)
        self._csv = csv.writer(file, lineterminator="\n")
        self._csv.writerow(["path", "predicted", "probability", *class_names, "error"])

    def write(self, prediction: Prediction) -> None:
        """A row."""
        self._csv.writerow(csv_row(prediction, len(self._blank)))


def csv_row(prediction: Prediction, classes: int) -> list[str]:
    """The cells of one answer: path, predicted, probability, each class's probability, error.

    Of several labels the second and third cell have all that hold and their probabilities, separated by ";".

    Args:
        prediction: the answer.
        classes: how many the model knows.
    """
    if prediction.probabilities is None:
        return [prediction.path, "", "", *[""] * classes, prediction.error]
    numbers = [f"{value:.8g}" for value in prediction.probabilities]
    given = [prediction.probability] if prediction.labels is None else prediction.labels.values()
    return [prediction.path, prediction.predicted, ";".join(f"{value:.8g}" for value in given), *numbers, ""]


class JsonLinesWriter:
    """One JSON object a line: path, predicted, probability, probabilities by class name; or path and error.

    Of several labels `predicted` is an object: each label that holds, with its probability.

    Args:
        file: where the text goes.
        class_names, top_k: as for `file_writer`.
    """

    def __init__(self, file: IO[str], class_names: Sequence[str], top_k: int) -> None:
        self._file, self._names, self._top_k = file, class_names, top_k

    def write(self, prediction: Prediction) -> None:
        """A line."""
        row: dict[str, Any] = {"path": prediction.path, "predicted": None, "error": prediction.error}
        if prediction.probabilities is not None:
            row = self._row(prediction, prediction.probabilities)
        self._put(json.dumps(row, ensure_ascii=False))

    def _put(self, row: str) -> None:
        self._file.write(row + "\n")

    def _row(self, prediction: Prediction, probabilities: Probabilities) -> dict[str, Any]:
        order = np.argsort(-probabilities, kind="stable")
        values = [float(f"{value:.8g}") for value in probabilities]
        row: dict[str, Any] = {"path": prediction.path}
        if prediction.labels is None:
            row.update(predicted=prediction.predicted, probability=values[order[0]])
        else:
            row["predicted"] = {name: float(f"{value:.8g}") for name, value in prediction.labels.items()}
        if self._top_k > 1:
            row["top"] = [{"class": self._names[k], "probability": values[k]} for k in order[: self._top_k]]
        row["probabilities"] = dict(zip(self._names, values, strict=True))
        return row


class _JsonWriter(JsonLinesWriter):
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


class TableWriter:
    """Lines for people: the path, then the most likely classes with their probabilities.

    Of several labels all that hold, the most likely first, and in parentheses others up to `top_k`.

    Args:
        file: the standard output; within `Predictor.predict` that name leads to stderr.
        class_names: in the order of the model's outputs.
        paths: of all images, for the width of their column.
        top_k: classes in a line, most likely first.
        stop_when_closed: whether to end when nobody reads any more (`predict … | head`); otherwise the rest is not
            printed, and what else writes goes on.
    """

    def __init__(
        self,
        file: IO[str],
        class_names: Sequence[str],
        paths: Sequence[str],
        top_k: int,
        *,
        stop_when_closed: bool = True,
    ) -> None:
        self._file = file
        self._names, self._width, self._top_k = class_names, min(max(map(len, paths)), _WIDEST_PATH), top_k
        self._class_width = max(len("predicted"), *map(len, class_names))
        self._headed, self._closed, self._stop_when_closed = False, False, stop_when_closed

    def write(self, prediction: Prediction) -> None:
        """A line; nothing of an image that could not be read: stderr names it."""
        probabilities = prediction.probabilities
        if probabilities is None or self._closed:
            return
        lines = []
        if not self._headed:
            cell = f"  {'predicted':<{self._class_width}}  probability"
            lines.append(f"{'path':<{self._width}}{cell * self._top_k}\n")
            self._headed = True
        order = np.argsort(-probabilities, kind="stable")
        ranked = [(self._names[k], f"{probabilities[k]:.4f}") for k in order]
        if prediction.labels is None:
            cells = [(prediction.predicted, ranked[0][1]), *ranked[1 : self._top_k]]
        else:
            held = [one for one in ranked if one[0] in prediction.labels] or [("(none)", "")]
            others = [(f"({name})", number) for name, number in ranked if name not in prediction.labels]
            cells = [*held, *others[: max(0, self._top_k - len(held))]]
        text = "".join(f"  {name:<{self._class_width}}  {number:>11}" for name, number in cells).rstrip()
        path = _shortened(printable(prediction.path), self._width)
        self._print([*lines, f"{path:<{self._width}}{text}\n"])

    def _print(self, lines: Sequence[str]) -> None:
        try:
            self._file.writelines(lines)
            self._file.flush()
        except BrokenPipeError:
            with open(os.devnull, "w") as nowhere:  # Python flushes what is left when it ends
                os.dup2(nowhere.fileno(), self._file.fileno())
            if self._stop_when_closed:
                raise
            self._closed = True


def _shortened(path: str, width: int) -> str:
    """The end of a long path: its beginning is what many have in common."""
    return path if len(path) <= width else "…" + path[-(width - 1) :]
