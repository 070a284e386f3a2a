"""Copies or links images into a folder for each class or label that was predicted, with a table of what went where."""

from __future__ import annotations

import csv
import filecmp
import io
import os
import re
import shutil
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.decode import UNREADABLE
from scene_lightning.data.image_files import identify
from scene_lightning.data.members import BytesPath
from scene_lightning.data.scan import EXTENSIONS
from scene_lightning.errors import InputError
from scene_lightning.reports.prediction_files import Prediction, csv_row, text_file

TABLE = "predictions.csv"
_LAST = ["error", "file"]  # the table's last columns
_BETWEEN = ";"  # the files of an image with several labels, in a cell
_LONGEST_NAME = 200  # bytes of a file's name, so that a number fits behind it


class SortInto:
    """Takes one answer after another; the image goes into the folder of its class, under its own name.

    Of several labels it goes into the folder of each, and without any into "no label". A folder that was made so before
    is gone on with: what is there stays, an image of another class than before moves, and new ones are added. Files
    that were put there otherwise are left alone.

    Args:
        folder: a new or empty one, or one that was made so before.
        class_names: in the order of the model's outputs.
        link: whether a symbolic link is made instead of a copy.
        several_labels: whether the model gives an image any number of labels.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(
        self, folder: str, class_names: Sequence[str], *, link: bool = False, several_labels: bool = False
    ) -> None:
        self._folder, self._link, self._several_labels = Path(folder), link, several_labels
        check_sort_folder(folder)
        self._header, former = _former_rows(self._folder / TABLE)
        self._former = {row[0]: row for row in former if row}
        header = ["path", "predicted", "probability", *class_names, *_LAST]
        if self._header and self._header != header:
            classes = ", ".join(self._header[3:-2])
            raise InputError(f"{folder!r} was made by a model of other classes ({classes}). Expected a new folder.")
        self._header = header
        self._classes = {name: folder_name(name) for name in class_names}
        taken = {name.casefold() for name in self._classes.values()}
        nothing = "no label" if several_labels else "unknown"
        self._nothing, self._unreadable = (
            name if name not in taken else f"_{name}" for name in (nothing, "unreadable")
        )
        self._taken = {place.casefold() for row in former for place in self._places(row)}
        self._counts: Counter[str] = Counter()
        self._open = ExitStack()

    def __enter__(self) -> SortInto:
        self._folder.mkdir(exist_ok=True)
        self._file: IO[str] = self._open.enter_context(_table(self._folder / TABLE))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(self._header)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is None:
            self._csv.writerows(self._former.values())  # of images that this call did not see
        self._open.__exit__(kind, error, trace)

    def write(self, prediction: Prediction) -> None:
        """Put an image into its folder.

        Args:
            prediction: the answer about it.
        """
        kinds = self._kinds(prediction)
        path = _recorded(prediction.path)
        formers = {place.partition("/")[0]: place for place in self._places(self._former.pop(path, []))}
        left = [place for kind, place in formers.items() if kind not in kinds]
        places = [
            self._place(prediction.path, kind, formers.get(kind) or (left.pop() if left else "")) for kind in kinds
        ]
        for place in left:  # of labels that the image no longer has
            (self._folder / place).unlink(missing_ok=True)
        self._counts.update(kinds)
        row = csv_row(prediction, len(self._classes))
        self._csv.writerow([path, *row[1:], _BETWEEN.join(filter(None, places))])

    def _kinds(self, prediction: Prediction) -> list[str]:
        """The folders that an image belongs in."""
        if prediction.probabilities is None:
            return [self._unreadable]
        named = [prediction.predicted] if prediction.labels is None else prediction.labels
        return [self._classes[name] for name in named if name in self._classes] or [self._nothing]

    def _places(self, row: Sequence[str]) -> list[str]:
        """Where a row of the table says that its image lies: files in folders of ours; what leads elsewhere is left."""
        cell = row[-1] if row else ""
        ours = {*self._classes.values(), self._nothing, self._unreadable}
        places = [place.partition("/") for place in (cell.split(_BETWEEN) if self._several_labels else [cell])]
        return ["/".join((kind, name)) for kind, _, name in places if kind in ours and name and "/" not in name]

    def in_words(self) -> str:
        """What was done, for a line on the terminal."""
        parts = [f"{count:,} {kind}" for kind, count in sorted(self._counts.items())]
        return f"{self._folder}: {', '.join(parts)}"

    def _place(self, path: str, kind: str, former: str) -> str:
        """Put the image at `path` into the folder `kind`; where that is, relative; "" where it cannot be had."""
        if former and former.startswith(f"{kind}/") and os.path.lexists(self._folder / former):
            return former
        if not isinstance(path, BytesPath) and not os.path.isfile(path):
            return ""
        try:
            content = path.read_bytes() if isinstance(path, BytesPath) else None
        except OSError:
            return ""
        (self._folder / kind).mkdir(exist_ok=True)
        place = self._free_name(path, kind, content)
        target = self._folder / place
        if former and os.path.lexists(self._folder / former):
            os.replace(self._folder / former, target)
            return place
        if not os.path.lexists(target):  # otherwise an interrupted call left it
            self._put(path, content, target)
        return place

    def _put(self, path: str, content: bytes | None, target: Path) -> None:
        if content is None and self._link:
            target.symlink_to(os.path.abspath(path))
            return
        with atomic_write(target) as partial:
            if content is None:
                shutil.copy2(path, partial)
            else:
                partial.write_bytes(content)

    def _free_name(self, path: str, kind: str, content: bytes | None) -> str:
        """A name that no other image has, on file systems that ignore case either."""
        name = _file_name(path, content)
        stem, ending = os.path.splitext(name.replace(_BETWEEN, "_") if self._several_labels else name)
        number = 1
        while True:
            place = f"{kind}/{stem}{'' if number == 1 else f'-{number}'}{ending}"
            target = self._folder / place
            free = place.casefold() not in self._taken
            if free and (not os.path.lexists(target) or self._is_same(path, content, target)):
                self._taken.add(place.casefold())
                return place
            number += 1

    def _is_same(self, path: str, content: bytes | None, target: Path) -> bool:
        """Whether what lies at `target` is what would be put there."""
        if content is None and self._link:
            return target.is_symlink() and os.readlink(target) == os.path.abspath(path)
        if target.is_symlink() or not target.is_file():
            return False
        return target.read_bytes() == content if content is not None else filecmp.cmp(path, target, shallow=False)


def check_sort_folder(folder: str) -> None:
    """Raise InputError, before anything slow, for a folder that images cannot be sorted into.

    Args:
        folder: a new or empty one, or one that images were sorted into before.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"--sort-into {folder!r} is a file. Expected a folder, new or empty.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"No folder {str(path.parent)!r} to make {path.name!r} in. Make it first.")
    if path.is_dir() and any(path.iterdir()) and not (path / TABLE).is_file():
        left = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        raise InputError(
            f"--sort-into {folder!r} holds other files ({left[0].name if left else 'hidden ones'}). Expected a new or "
            f"empty folder, or one that images were sorted into before (it has a {TABLE})."
        )


def without_sorted(files: Sequence[str], folder: str) -> list[str]:
    """The files that do not lie in the folder that images are sorted into.

    Args:
        files: paths.
        folder: of `SortInto`.
    """
    inside = os.path.join(os.path.realpath(folder), "")
    return [
        path
        for path in files
        if isinstance(path, BytesPath) or not os.path.join(os.path.abspath(path), "").startswith(inside)
    ]


@contextmanager
def _table(path: Path) -> Iterator[IO[str]]:
    """The table, which takes the former one's place when all is done; in a new folder an empty one stands before."""
    if not path.exists():
        with atomic_write(path) as partial:
            partial.write_bytes(b"")  # so that a call that is interrupted can be repeated
    with atomic_write(path) as partial, text_file(partial) as file:
        yield file


def _former_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and rows of the table that a former call left."""
    if not path.is_file():
        return [], []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{str(path)!r} is damaged ({error}). Expected what predict --sort-into wrote.") from None
    if header and (header[:1] != ["path"] or header[-2:] != _LAST or any(len(row) != len(header) for row in rows)):
        raise InputError(f"{str(path)!r} is another table. Expected a new or empty folder for --sort-into.")
    return header, rows


def _recorded(path: str) -> str:
    """A path as the table has it: files by their whole path, so that a call from elsewhere knows them."""
    text = str(path) if isinstance(path, BytesPath) else os.path.abspath(path)
    return text.encode("utf-8", "backslashreplace").decode()


def folder_name(class_name: str) -> str:
    """A class's name as that of a folder or file: without what leads elsewhere.

    Args:
        class_name: as the model has it.
    """
    name = re.sub(r'[/\\\0-\x1f:*?"<>|]', "_", class_name).strip()
    return f"_{name}" if not name or name.startswith(".") or name == TABLE else name


def _file_name(path: str, content: bytes | None) -> str:
    """What an image is called, without folders; with an ending that says what it is."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(path).path) if "://" in path else str(path)
    name = re.sub(r"[\\\0-\x1f]", "_", path.rstrip("/").rpartition("/")[2]).lstrip(".")
    name = "image" if name in ("", "-") else name
    stem, ending = os.path.splitext(name)
    if content is not None and ending.lower() not in EXTENSIONS:
        stem, ending = name, _ending_of(content)
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


def _ending_of(content: bytes) -> str:
    """The ending of the image format that the bytes are in; "" where they are no image."""
    try:
        kind = (identify(io.BytesIO(content)).format or "").lower()
    except UNREADABLE:
        return ""
    ending = ".jpg" if kind in ("jpeg", "mpo") else f".{kind}"
    return ending if ending in EXTENSIONS else ""
