"""Reads corrections of labels, a CSV file with a row for each image by the hash of its content, and applies them.

The images stay as they are: to take a correction back, delete its row. docs/check.md describes the columns.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.data.copies import file_digest
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

RELABEL, DROP, KEEP = "relabel", "drop", "keep"
ACTIONS = (RELABEL, DROP, KEEP)
COLUMNS = ("hash", "action", "label", "split", "path", "note")
_REQUIRED = ("hash", "action")
_HASH = re.compile(r"[0-9a-f]{16}")
_MOST_BYTES = 256 * 2**20
_READERS = 8  # reading waits for the disk, and hashing lets go of Python's lock


class Decision(NamedTuple):
    """What one row says.

    Attributes:
        action: "relabel", "drop" or "keep".
        label: the class that an image is given, for "relabel"; "" otherwise.
        line: where the row stands in the file.
    """

    action: str
    label: str
    line: int


@dataclass
class Overlay:
    """Corrections of labels, and how many of them have met an image so far.

    Attributes:
        path: the file.
        text: what it holds.
        decisions: by (hash of an image's content, split that the row is limited to or "").
        relabelled, dropped: images whose class was changed, and that were left out.
    """

    path: str
    text: str
    decisions: dict[tuple[int, str], Decision]
    relabelled: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self._met: set[tuple[int, str]] = set()

    def apply(self, table: ImageTable, *, every_class: bool = True) -> ImageTable:
        """The table with its labels corrected, and without the images that were dropped.

        Args:
            table: the images; rows that are limited to a split count where the folder that was scanned is called so.
            every_class: whether a class that has no image left is an error.

        Raises:
            DataError: a label that is none of the table's classes, or no image left of a class, or of all.
        """
        labels = self.correct(table.paths, table.labels, table.class_names, split_name(table.root))
        kept = replace(table, labels=labels).take(np.flatnonzero(labels >= 0))
        empty = [name for name, count in kept.counts().items() if not count]
        if len(empty) == len(table.class_names) or (empty and every_class):
            raise DataError(
                f"No image of {table.root!r} is left of class {empty[0]!r} after the corrections of {self.path!r}. "
                "Delete some of its rows."
            )
        return kept

    def correct(
        self, paths: Sequence[str], labels: Sequence[int] | NDArray[np.int64], class_names: Sequence[str], split: str
    ) -> NDArray[np.int64]:
        """The labels with the corrections applied; -1 for an image that is dropped.

        Args:
            paths: N files; one that cannot be read keeps its label.
            labels: (N,) positions in `class_names`.
            class_names: the classes' names.
            split: the name of the split that the images are of.

        Raises:
            DataError: a row has a label that is none of `class_names`.
        """
        self.check_labels(class_names)
        number_of = {name: number for number, name in enumerate(class_names)}
        corrected = np.array(labels, dtype=np.int64)
        with ThreadPoolExecutor(_READERS) as readers:
            for row, digest in enumerate(readers.map(_digest_or_none, paths)):
                decision = None if digest is None else self.decide(digest, split, class_names[corrected[row]])
                if decision is not None and decision.action == DROP:
                    corrected[row] = -1
                elif decision is not None and decision.action == RELABEL:
                    corrected[row] = number_of[decision.label]
        return corrected

    def _key(self, digest: int, split: str) -> tuple[int, str] | None:
        return next((key for key in ((digest, split), (digest, "")) if key in self.decisions), None)

    def decision(self, digest: int, split: str) -> Decision | None:
        """What is said of one image, or None.

        Args:
            digest: of its content.
            split: the name of the split that it is of.
        """
        key = self._key(digest, split)
        return None if key is None else self.decisions[key]

    def decide(self, digest: int, split: str, label: str) -> Decision | None:
        """What is to be done about one image, or None; it is counted.

        Args:
            digest: of its content.
            split: the name of the split that it is of.
            label: the class that it has.
        """
        key = self._key(digest, split)
        if key is None:
            return None
        self._met.add(key)
        decision = self.decisions[key]
        self.dropped += decision.action == DROP
        self.relabelled += decision.action == RELABEL and decision.label != label
        return decision

    def check_labels(self, class_names: Sequence[str]) -> None:
        """Raise DataError for a row that gives an image a class that is not there.

        Args:
            class_names: the classes that there are.
        """
        for decision in self.decisions.values():
            if decision.action == RELABEL and decision.label not in class_names:
                raise DataError(
                    f"{self.path!r}, line {decision.line}: no class {decision.label!r}. Expected one of "
                    f"{some_of(class_names)}.{did_you_mean(decision.label, class_names)}"
                )

    def in_words(self) -> str:
        """What was corrected, and how many rows met no image."""
        absent = len(self.decisions) - len(self._met)
        parts = [f"{self.relabelled:,} relabelled", f"{self.dropped:,} left out"]
        if absent:
            parts.append(f"no image here for {absent:,} of its {len(self.decisions):,} rows")
        return f"{self.path}: {', '.join(parts)}"


def find_overlay(path: str | os.PathLike[str] | None) -> Overlay | None:
    """`read_overlay`, where there is one.

    Args:
        path: the file, or None.
    """
    return None if path is None else read_overlay(path)


def split_name(folder: str) -> str:
    """What the split of a folder of class folders is called, in an overlay: the folder's own name.

    Args:
        folder: its path.
    """
    return os.path.basename(os.path.abspath(folder))


def _digest_or_none(path: str) -> int | None:
    try:
        return file_digest(path)
    except OSError:
        return None


def read_overlay(path: str | os.PathLike[str]) -> Overlay:
    """Read an overlay: a CSV file in UTF-8 with the columns hash and action, and perhaps label, split, path and note.

    Args:
        path: the file.

    Raises:
        DataError: no such file, or a row that is not as expected; the message names its line.
    """
    path = os.fspath(path)
    decisions: dict[tuple[int, str], Decision] = {}
    try:
        if Path(path).stat().st_size > _MOST_BYTES:
            raise DataError(
                f"{path!r} is larger than {_MOST_BYTES >> 20} MB: no overlay. Expected columns hash,action,…"
            )
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        places = _places(next(rows, []), path)
        for row in rows:
            if any(cell.strip() for cell in row):
                _add(decisions, row, places, f"{path!r}, line {rows.line_num}", rows.line_num)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.abspath(path))
        siblings = os.listdir(folder) if os.path.isdir(folder) else []
        raise DataError(f"No overlay {path!r}.{did_you_mean(os.path.basename(path), siblings)}") from None
    except OSError as error:
        raise DataError(f"Cannot read the overlay {path!r}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path!r} is no text in UTF-8. Expected a CSV file with columns hash,action,label.") from error
    except csv.Error as error:
        raise DataError(f"{path!r}, line {rows.line_num}: {error}.") from error
    return Overlay(path, text, decisions)


def _places(header: Sequence[str], path: str) -> dict[str, int]:
    """Where each column stands."""
    names = [name.strip().lower() for name in header]
    for name in names:
        if name not in COLUMNS:
            raise DataError(
                f"{path!r}, line 1: no column is called {name!r}. Expected {','.join(COLUMNS)} (the first two suffice; "
                f"commas between).{did_you_mean(name, COLUMNS)}"
            )
    missing = [name for name in _REQUIRED if name not in names]
    twice = [name for name in names if names.count(name) > 1]
    if missing or twice:
        what = f"the column {missing[0]!r} is missing" if missing else f"two columns are called {twice[0]!r}"
        raise DataError(f"{path!r}, line 1: {what}. Expected {','.join(COLUMNS)}.")
    return {name: place for place, name in enumerate(names)}


def _add(
    decisions: dict[tuple[int, str], Decision], row: Sequence[str], places: dict[str, int], where: str, line: int
) -> None:
    if len(row) != len(places):
        raise DataError(f"{where}: {len(row)} cells. Expected {len(places)}, one for each column of line 1.")
    digest, action, label, split = (
        row[places[name]].strip() if name in places else "" for name in ("hash", "action", "label", "split")
    )
    if not _HASH.fullmatch(digest.lower()):
        raise DataError(
            f"{where}: {digest!r} is no hash. Expected 16 hexadecimal digits, as `check` and a run's images.csv have "
            "them (a spreadsheet may have made a number of it)."
        )
    if action not in ACTIONS:
        raise DataError(
            f"{where}: {action!r} is no action. Expected {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if action == RELABEL and not label:
        raise DataError(f"{where}: relabel needs a label. Expected the name of a class.")
    key, decision = (int(digest, 16), split), Decision(action, label if action == RELABEL else "", line)
    earlier = decisions.setdefault(key, decision)
    if earlier[:2] != decision[:2]:
        raise DataError(f"{where}: line {earlier.line} says something else of the same image. Delete one of them.")
