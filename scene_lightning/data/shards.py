"""Reads a folder of shards: tar files in WebDataset's layout, and the index that says where each image lies in them.

The index is a text file with a JSON value on each line: first what the shards are (`Header`), then a row for each
image, in the order in which the folder of images was scanned: [number of the tar, offset, size, label, digest, path].
Images are read at random places, so that order, augmentation and resume are those of the folder.
"""

from __future__ import annotations

import json
import os
import re
import stat
from typing import NamedTuple, TextIO

import numpy as np

from scene_lightning.data.image_files import LARGEST_FILE
from scene_lightning.data.members import MemberPath
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

INDEX = "shards.jsonl"
FORMAT = 1
TAR_NAME = re.compile(r"(train|val)-[0-9]{6,}\.tar")
_LONGEST_LINE = 2**26  # characters: a million classes in the first one
_CURE = "Make the shards again: scene-lightning shard DATA OUT."


class Split(NamedTuple):
    """A split in the index's first line.

    Attributes:
        folder: the name of the split's folder; "" where class folders stand alone.
        images: how many it has.
        tars: the name and the size in bytes of each of its tar files.
    """

    folder: str
    images: int
    tars: list[tuple[str, int]]


class Header(NamedTuple):
    """The first line of an index: class names, and one split or two."""

    class_names: list[str]
    splits: list[Split]

    def as_text(self) -> str:
        """The line, as it is written."""
        what = "where the images of the tar files beside this file lie (scene-lightning shard)"
        splits = [split._asdict() for split in self.splits]
        return json.dumps({"what": what, "format": FORMAT, "class_names": self.class_names, "splits": splits})


def is_sharded(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds shards: what `shard` wrote to its end, or (an error, when it is read) not quite.

    Args:
        folder: any path.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return INDEX in names or any(TAR_NAME.fullmatch(name) for name in names)


def read_shards(folder: str | os.PathLike[str]) -> list[ImageTable]:
    """Read the index: the training images and the validation images, or one table where they are not divided yet.

    Args:
        folder: that `shard` wrote.

    Raises:
        DataError: no index, an index that is damaged or points outside, or a tar file that is missing or of another
            size.
    """
    folder = os.fspath(folder)
    path = os.path.join(folder, INDEX)
    try:
        with open(path, encoding="utf-8") as file:
            header = _header(file, path)
            tars = _tars(header, folder)
            first, tables = 0, []
            for split in header.splits:
                tables.append(_table(file, path, header, split, tars, (first, first + len(split.tars))))
                first += len(split.tars)
            if file.readline(1):
                raise DataError(f"{path!r} has more rows than images. {_CURE}")
    except FileNotFoundError:
        raise DataError(
            f"{folder!r} holds tar files and no {INDEX}: `shard` was interrupted. Repeat its command: it goes on."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path!r} is damaged: no text in UTF-8. {_CURE}") from error
    except OSError as error:
        raise DataError(f"Cannot read {path!r}: {error.strerror or error}.") from error
    return tables


def _header(file: TextIO, path: str) -> Header:
    try:
        values = json.loads(file.readline(_LONGEST_LINE))
        version = values["format"]
        if version != FORMAT:
            raise ValueError(f"its format is {version!r}; this scene-lightning reads {FORMAT}")
        names, splits = values["class_names"], [Split(**split) for split in values["splits"]]
        good = names and all(isinstance(name, str) for name in names) and len(splits) in (1, 2)
        for folder, images, tars in splits:
            good = good and isinstance(folder, str) and type(images) is int and images > 0
            good = good and (not folder or (_stays_inside(folder) and "/" not in folder))
            good = good and all(TAR_NAME.fullmatch(name) and type(size) is int for name, size in tars)
        if not good:
            raise ValueError("other values than expected")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = "it is no JSON" if isinstance(error, json.JSONDecodeError) else f"{error}"
        raise DataError(f"{path!r}, line 1, is not the beginning of an index ({reason}). {_CURE}") from error
    return Header(list(names), splits)


def _tars(header: Header, folder: str) -> list[tuple[str, int]]:
    """(path, size) of each tar file, as it is there."""
    tars = []
    for name, size in (tar for split in header.splits for tar in split.tars):
        path = os.path.join(folder, name)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            raise DataError(f"{path!r} is missing. Copy it beside {INDEX}, or make the shards again.") from None
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path!r} is not a regular file, and is not opened.")
        if status.st_size != size:
            raise DataError(
                f"{path!r} is truncated or was changed: it has {status.st_size:,} bytes and was written with "
                f"{size:,}. Copy it again, or make the shards again."
            )
        tars.append((path, size))
    return tars


def _table(
    file: TextIO, path: str, header: Header, split: Split, tars: list[tuple[str, int]], own: tuple[int, int]
) -> ImageTable:
    """The rows of one split; its tar files are those from `own[0]` to before `own[1]`."""
    root = os.path.join(os.path.dirname(path), split.folder) if split.folder else os.path.dirname(path)
    paths: list[str] = []
    labels = np.empty(min(split.images, os.path.getsize(path)), dtype=np.int64)  # a row takes more than a byte
    for position in range(split.images):
        line = file.readline(_LONGEST_LINE)
        if not line:
            raise DataError(f"{path!r} is cut short: {position:,} of {split.images:,} images. {_CURE}")
        try:
            number, offset, size, label, digest, name = json.loads(line)
            if not (all(type(one) is int for one in (number, offset, size, label)) and isinstance(name, str)):
                raise ValueError("other values than expected")
            tar = tars[number] if own[0] <= number < own[1] else ("", 0)
            if not (offset >= 0 and 0 <= size <= LARGEST_FILE and offset + size <= tar[1]):
                raise ValueError("it points outside its tar file")
            if not 0 <= label < len(header.class_names):
                raise ValueError("no such class")
            if not _stays_inside(name):
                raise ValueError("its path leaves the folder")
            paths.append(MemberPath(os.path.join(root, name), tar[0], offset, size, int(digest, 16)))
        except (ValueError, TypeError, RecursionError) as error:
            reason = "no row of an index" if isinstance(error, json.JSONDecodeError | TypeError) else str(error)
            shown = line.strip()[:80]
            raise DataError(f"{path!r} is damaged, image {position + 1}: {reason}: {shown!r}. {_CURE}") from error
        labels[position] = label
    return ImageTable(paths, labels, list(header.class_names), root)


def _stays_inside(name: str) -> bool:
    """Whether a relative path has no part that leads elsewhere."""
    return all(part not in ("", ".", "..") and "\0" not in part for part in name.split("/"))
