"""Says which images there are and of what class: a table of paths and labels, and its two halves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        targets: (N, K) float32, 1 where an image has a label, where images have any number of them; otherwise None.
            `labels` are then the first label of each.
        group_by: a regular expression; images in whose paths it finds the same text are never divided.
    """

    paths: list[str]
    labels: NDArray[np.int64]
    class_names: list[str]
    root: str
    left_out: LeftOut = field(default_factory=LeftOut)
    group_by: str | None = None
    targets: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Iterable[int]) -> ImageTable:
        """The rows at `positions`, in that order, with the same classes."""
        rows = np.asarray(list(positions), dtype=np.int64)
        targets = None if self.targets is None else self.targets[rows]
        return replace(self, paths=[self.paths[row] for row in rows], labels=self.labels[rows], targets=targets)

    def with_targets(self, targets: NDArray[np.float32], class_names: Sequence[str]) -> ImageTable:
        """The same images with several labels each.

        Args:
            targets: (N, K), 1 where an image has a label.
            class_names: the K labels' names.
        """
        first = targets.argmax(axis=1).astype(np.int64)
        return replace(self, targets=targets, labels=first, class_names=list(class_names))

    def counts(self) -> dict[str, int]:
        """Images a class, or with a label, by name."""
        if self.targets is not None:
            return {name: int(n) for name, n in zip(self.class_names, self.targets.sum(axis=0), strict=True)}
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
