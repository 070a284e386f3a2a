"""Writes the images of a data folder as shards: tar files in WebDataset's layout, and their index last.

The tar files of a split hold its images shuffled, so that a reader in sequence gets mixed classes; the index has them
in the order of the folder. The bytes of the images are not touched, and the same images, seed and size give the same
tar files. Beside each complete tar file lies a note of what is in it until the index is written: an interrupted
command, repeated, goes on after the last complete one.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write, write_text
from scene_lightning.data.cache import files_key
from scene_lightning.data.image_files import LARGEST_FILE
from scene_lightning.data.label_file import refuse_several_labels
from scene_lightning.data.members import MemberPath, content_digest, read_image_bytes
from scene_lightning.data.overlay import Overlay
from scene_lightning.data.scan import find_tables
from scene_lightning.data.shards import FORMAT, INDEX, TAR_NAME, Header, Split
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

DEFAULT_SIZE = 256_000_000  # bytes; what WebDataset's authors advise for disks and networks alike
_BLOCK = 512  # bytes of a tar file's header, and what its contents are rounded up to
_OURS = re.compile(rf"\.?({TAR_NAME.pattern}|{re.escape(INDEX)})(\.note|\.[^/]*\.partial)?")


@dataclass(frozen=True)
class Sharded:
    """What `shard` wrote.

    Attributes:
        folder: of the shards.
        images: how many each split has.
        tars: how many tar files there are.
        size_bytes: of the tar files together.
        kept: how many of them an interrupted command had left complete.
    """

    folder: str
    images: tuple[int, ...]
    tars: int
    size_bytes: int
    kept: int


def shard(
    data: str,
    out: str,
    *,
    size_bytes: int = DEFAULT_SIZE,
    seed: int = 0,
    overlay: Overlay | None = None,
    progress: Callable[[int], None] | None = None,
) -> Sharded:
    """Write the images of a data folder as shards.

    Args:
        data: a data folder, as for `find_splits`. One without halves is not divided: `train` does that.
        out: the folder to write, new or empty, or left by an interrupted `shard`.
        size_bytes: of a tar file, at most; an image larger than that has one of its own.
        seed: of the order of the images in the tar files.
        overlay: corrections of labels, which are written into the shards.
        progress: called with a number of images after as many are written.

    Raises:
        DataError: as `find_splits`; an `out` that holds anything else or lies in `data`, an image that cannot be
            read, or no room on the disk.
    """
    folder = Path(out)
    _refuse_place(data, folder)
    refuse_several_labels(data)
    tables = find_tables(data, overlay)
    tasks = [task for name, table in zip(("train", "val"), tables, strict=False)
             for task in _tasks(folder, name, table, size_bytes, seed)]  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        notes = {task.tar: task.note() for task in tasks}
        for left in folder.iterdir():
            complete = left.name.lstrip(".").removesuffix(".note")
            if notes.get(folder / complete) is None or left.name.endswith(".partial"):
                left.unlink()
        kept = sum(note is not None for note in notes.values())
        for task in tasks:
            if notes[task.tar] is None:
                notes[task.tar] = task.write()
            if progress is not None:
                progress(len(task.rows))
        _write_index(folder, tables, [(task, notes[task.tar] or {}) for task in tasks])
        for task in tasks:
            task.note_path.unlink()
    except OSError as error:
        raise DataError(
            f"Cannot write {error.filename or out!r}: {error.strerror or error}. "
            "The same command goes on after the last complete tar file."
        ) from error
    total = sum(note["size"] for note in notes.values() if note is not None)
    return Sharded(out, tuple(len(table) for table in tables), len(tasks), total, kept)


def _refuse_place(data: str, folder: Path) -> None:
    """DataError unless `folder` may be written to."""
    if folder.resolve().is_relative_to(Path(data).resolve()):
        raise DataError(f"{str(folder)!r} lies in the data folder {data!r}. Expected another place for the shards.")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{str(folder)!r} is a file. Expected a folder to write, new or empty.")
    names = os.listdir(folder) if folder.exists() else []
    if INDEX in names:
        raise DataError(f"{str(folder)!r} holds shards already. Delete it, or name another folder.")
    strange = sorted(name for name in names if not _OURS.fullmatch(name))
    if strange:
        raise DataError(f"{str(folder)!r} is not empty: it holds {strange[0]!r}. Expected a folder of its own.")


@dataclass(frozen=True)
class _Task:
    """One tar file that is to be written.

    Attributes:
        tar: its path.
        table: the split.
        rows: which of its images come into it, in this order.
        first: the number of the first one within the split, in the order of the tar files.
    """

    tar: Path
    table: ImageTable
    rows: NDArray[np.int64]
    first: int

    @property
    def note_path(self) -> Path:
        return self.tar.with_name(f".{self.tar.name}.note")

    def note(self) -> dict[str, Any] | None:
        """What an interrupted command noted of this file, where it is complete and the images are as they were."""
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
            same = note["key"] == self._key() and note["size"] == self.tar.stat().st_size
            return note if same and len(note["members"]) == len(self.rows) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _key(self) -> str:
        classes = [self.table.class_names, self.table.labels[self.rows].tolist()]
        return files_key([self.table.paths[row] for row in self.rows], [FORMAT, self.first, *classes])

    def write(self) -> dict[str, Any]:
        """Write the file and its note; the note has [offset, size, digest] for each image."""
        key, members = self._key(), []
        with atomic_write(self.tar) as partial, tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, row in enumerate(self.rows.tolist(), self.first):
                members.append(_add_image(tar, f"{number:09d}", self.table, row))
        note = {"key": key, "size": self.tar.stat().st_size, "members": members}
        write_text(self.note_path, json.dumps(note))
        return note


def _tasks(folder: Path, name: str, table: ImageTable, size_bytes: int, seed: int) -> Iterator[_Task]:
    """Deal the images of a split, shuffled, to tar files of about `size_bytes`."""
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(table))
    start, filled, count = 0, 0, 0
    for position, row in enumerate(order.tolist()):
        # besides the image: its header, a label and a description, and the end of the file
        needed = 6 * _BLOCK + -(-_size(table.paths[row]) // _BLOCK) * _BLOCK
        if position > start and filled + needed > size_bytes - tarfile.RECORDSIZE:
            yield _Task(folder / f"{name}-{count:06d}.tar", table, order[start:position], start)
            start, filled, count = position, 0, count + 1
        filled += needed
    yield _Task(folder / f"{name}-{count:06d}.tar", table, order[start:], start)


def _size(path: str) -> int:
    try:
        return path.size if isinstance(path, MemberPath) else os.path.getsize(path)
    except OSError as error:
        raise DataError(f"Cannot read image {path!r}: {error.strerror or error}. Delete it, or mend it.") from error


def _add_image(tar: tarfile.TarFile, key: str, table: ImageTable, row: int) -> tuple[int, int, str]:
    """Add an image and what it shows: key.jpg, key.cls (the class' number) and key.json."""
    path, label = table.paths[row], int(table.labels[row])
    try:
        content = read_image_bytes(path)
    except OSError as error:
        raise DataError(f"Cannot read image {path!r}: {error.strerror or error}. Delete it, or mend it.") from error
    if len(content) > LARGEST_FILE:
        raise DataError(f"{path!r} has {len(content):,} bytes, and an image file at most {LARGEST_FILE:,}. Delete it.")
    about = {"class": table.class_names[label], "label": label, "path": _name(table, row)}
    ending = os.path.splitext(path)[1].lower()
    _add(tar, key + ending, content)
    offset = tar.offset - -(-len(content) // _BLOCK) * _BLOCK
    _add(tar, f"{key}.cls", str(label).encode())
    _add(tar, f"{key}.json", json.dumps(about).encode())
    return offset, len(content), f"{content_digest(content):016x}"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # of nobody and no time, so that equal images make equal files
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _name(table: ImageTable, row: int) -> str:
    """What an image is called below the folder of its split."""
    return os.path.relpath(table.paths[row], table.root).replace(os.sep, "/")


def _write_index(folder: Path, tables: list[ImageTable], written: list[tuple[_Task, dict[str, Any]]]) -> None:
    splits = []
    places: list[list[tuple[int, int, int, str]]] = [[(0, 0, 0, "")] * len(table) for table in tables]
    for split, table in enumerate(tables):
        own = [(number, task, note) for number, (task, note) in enumerate(written) if task.table is table]
        for number, task, note in own:
            for row, member in zip(task.rows.tolist(), note["members"], strict=True):
                places[split][row] = (number, *member)
        root = os.path.basename(os.path.abspath(table.root)) if len(tables) == 2 else ""
        splits.append(Split(root, len(table), [(task.tar.name, note["size"]) for _, task, note in own]))
    with atomic_write(folder / INDEX) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(Header(tables[0].class_names, splits).as_text() + "\n")
        for split, table in enumerate(tables):
            for row, (number, offset, size, digest) in enumerate(places[split]):
                values = [number, offset, size, int(table.labels[row]), digest, _name(table, row)]
                file.write(json.dumps(values) + "\n")
