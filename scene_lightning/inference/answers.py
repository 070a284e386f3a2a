"""Keeps what a model answered about each labelled image, in memory and as predictions.csv: which answers are wrong."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError

_FIRST = ["path", "true", "predicted", "probability"]
_BETWEEN = ";"  # labels of an image, in a cell


@dataclass
class Answers:
    """The probabilities that a model gave to labelled images, in their order.

    Attributes:
        class_names: in the order of the model's outputs.
        paths: of the N images.
        labels: N true class numbers; of a model of several labels N rows of K, true where an image has a label.
        probabilities: N rows of K numbers.
        thresholds: of a model that gives an image any number of labels, the K from which on each one holds; None for a
            model that names one class.
    """

    class_names: Sequence[str]
    paths: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    thresholds: Sequence[float] | None = None

    def add(self, path: str, label: int | NDArray[np.bool_], probabilities: NDArray[np.float32]) -> None:
        """Take note of one image.

        Args:
            path: of the image.
            label: its true class number, or (K,), true for each of its labels.
            probabilities: (K,).
        """
        self.paths.append(path)
        self.labels.append(label)
        self.probabilities.append(probabilities)

    def rows(self) -> NDArray[np.float32]:
        """All probabilities, (N, K)."""
        return np.asarray(self.probabilities, np.float32).reshape(len(self.paths), len(self.class_names))

    def truth(self) -> NDArray[np.bool_]:
        """(N, K), true for what each image is."""
        if self.thresholds is None:
            return np.arange(len(self.class_names)) == np.asarray(self.labels, np.int64).reshape(-1, 1)
        return np.asarray(self.labels, bool).reshape(len(self.paths), len(self.class_names))

    def given(self) -> NDArray[np.bool_]:
        """(N, K), true for what the model says that each image is: the likeliest class, or the labels from their
        thresholds on."""
        rows = self.rows()
        if self.thresholds is None:
            return np.arange(len(self.class_names)) == rows.argmax(axis=1)[:, None]
        return rows >= np.asarray(self.thresholds, np.float64)

    def wrong(self) -> NDArray[np.bool_]:
        """(N,), whether an answer is wrong: another class, or any label missed or wrongly given."""
        return (self.truth() != self.given()).any(axis=1)

    def sure(self) -> NDArray[np.float32]:
        """(N,), how sure an answer is, 0 to 1: the probability of its class.

        Of several labels, how far a probability is from the label's threshold, as a share of how far it could be: of a
        right answer that of the label nearest to its threshold, of a wrong one that of the mistake farthest from it.
        """
        rows = self.rows()
        if self.thresholds is None:
            return rows.max(axis=1, initial=0)
        at = np.asarray(self.thresholds, np.float64)
        apart = np.where(rows >= at, (rows - at) / np.maximum(1 - at, 1e-12), (at - rows) / np.maximum(at, 1e-12))
        mistaken = self.truth() != self.given()
        nearest, farthest = apart.min(axis=1, initial=1), np.where(mistaken, apart, 0).max(axis=1, initial=0)
        return np.where(mistaken.any(axis=1), farthest, nearest).clip(0, 1).astype(np.float32)

    def names_of(self, row: NDArray[np.bool_]) -> str:
        """What is true in a row of `truth` or `given`: the class, or the labels with semicolons between them.

        Args:
            row: (K,).
        """
        return _BETWEEN.join(str(self.class_names[int(number)]) for number in np.flatnonzero(row))

    def write(self, path: Path) -> None:
        """Write predictions.csv: path, true, predicted, probability, then each class's probability under its name.

        Args:
            path: of the file.
        """
        with (
            atomic_write(path) as temporary,
            open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            table = csv.writer(file, lineterminator="\n")
            table.writerow([*_FIRST, *self.class_names])
            rows = zip(self.paths, self.truth(), self.given(), self.probabilities, strict=True)
            for name, truth, given, row in rows:
                numbers = [f"{value:.8g}" for value in row]
                chances = _BETWEEN.join(numbers[number] for number in np.flatnonzero(given))
                table.writerow([name, self.names_of(truth), self.names_of(given), chances, *numbers])

    @classmethod
    def read(cls, path: Path, thresholds: Sequence[float] | None = None) -> Answers:
        """Read what `write` wrote.

        Args:
            path: of the file.
            thresholds: of a model of several labels, those that it answered with; the file does not say them.

        Raises:
            FileFormatError: it is none of these files, or damaged.
        """
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            header = next(table, [])
            answers = cls(header[len(_FIRST) :], thresholds=thresholds)
            numbers = {name: number for number, name in enumerate(answers.class_names)}
            try:
                if header[: len(_FIRST)] != _FIRST:
                    raise ValueError("other columns")
                for row in table:
                    values = np.array([float(value) for value in row[len(_FIRST) :]], np.float32)
                    if len(values) != len(numbers):
                        raise ValueError("a row of another length")
                    answers.add(row[0], _label_of(row[1], numbers, thresholds is not None), values)
            except (ValueError, KeyError, IndexError, csv.Error) as error:
                raise FileFormatError(
                    f"{str(path)!r} is damaged ({error}). Expected what a run's evaluation wrote."
                ) from None
        return answers


def _label_of(cell: str, numbers: Mapping[str, int], several: bool) -> int | NDArray[np.bool_]:
    if not several:
        return numbers[cell]
    row = np.zeros(len(numbers), bool)
    row[[numbers[name] for name in cell.split(_BETWEEN) if name]] = True
    return row
