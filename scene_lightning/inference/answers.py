"""Keeps what a model answered about each labelled image, in memory and as predictions.csv."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError

_FIRST = ["path", "true", "predicted", "probability"]


@dataclass
class Answers:
    """The probabilities that a model gave to labelled images, in their order.

    Attributes:
        class_names: in the order of the model's outputs.
        paths: of the N images.
        labels: N true class numbers.
        probabilities: N rows of K numbers.
    """

    class_names: Sequence[str]
    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, path: str, label: int, probabilities: NDArray[np.float32]) -> None:
        """Take note of one image.

        Args:
            path: of the image.
            label: its true class number.
            probabilities: (K,).
        """
        self.paths.append(path)
        self.labels.append(label)
        self.probabilities.append(probabilities)

    def rows(self) -> NDArray[np.float32]:
        """All probabilities, (N, K)."""
        return np.asarray(self.probabilities, np.float32).reshape(len(self.paths), len(self.class_names))

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
            for name, label, row in zip(self.paths, self.labels, self.probabilities, strict=True):
                best = int(row.argmax())
                numbers = [f"{value:.8g}" for value in row]
                table.writerow([name, self.class_names[label], self.class_names[best], numbers[best], *numbers])

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Read what `write` wrote.

        Args:
            path: of the file.

        Raises:
            FileFormatError: it is none of these files, or damaged.
        """
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            header = next(table, [])
            answers = cls(header[len(_FIRST) :])
            numbers = {name: number for number, name in enumerate(answers.class_names)}
            try:
                if header[: len(_FIRST)] != _FIRST:
                    raise ValueError("other columns")
                for row in table:
                    values = np.array([float(value) for value in row[len(_FIRST) :]], np.float32)
                    if len(values) != len(numbers):
                        raise ValueError("a row of another length")
                    answers.add(row[0], numbers[row[1]], values)
            except (ValueError, KeyError, IndexError, csv.Error) as error:
                raise FileFormatError(
                    f"{str(path)!r} is damaged ({error}). Expected what a run's evaluation wrote."
                ) from None
        return answers
