"""Says which images there are and of what class: a table of paths and labels, and its two halves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.walk import LeftOut


@dataclass(frozen=True, eq=False)
class ImageTable:
    """Which images there are, and of what class.

    Attributes:
        paths: N file paths.
        labels: (N,) int64, positions in `class_names`.
        class_names: the classes' names.
        root: the folder that was scanned.
        left_out: what else lies in it.
        group_by: a regular expression; images in whose paths it finds the same text are never divided.
    """

    paths: list[str]
    labels: NDArray[np.int64]
    class_names: list[str]
    root: str
    left_out: LeftOut = field(default_factory=LeftOut)
    group_by: str | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Iterable[int]) -> ImageTable:
        """The rows at `positions`, in that order, with the same classes."""
        rows = np.asarray(list(positions), dtype=np.int64)
        return replace(self, paths=[self.paths[row] for row in rows], labels=self.labels[rows])

    def counts(self) -> dict[str, int]:
        """Images a class, by name."""
        numbers = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(number) for name, number in zip(self.class_names, numbers, strict=True)}


@dataclass(frozen=True, eq=False)
class Splits:
    """The images of a data folder, divided; both tables have the same classes.

    Attributes:
        train: the images to train on.
        validation: the images held out.
    """

    train: ImageTable
    validation: ImageTable
