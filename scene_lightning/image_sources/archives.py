"""Finds the images in .zip, .tar and .tar.gz archives and reads them where they lie: nothing is unpacked by name.

The images of a compressed tar file, which can only be read from its beginning, go into one temporary file without a
name. An archive that unpacks to far more than it is, or to too many files, is refused.
"""

from __future__ import annotations

import gzip
import lzma
import os
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from scene_lightning.data.members import BytesPath
from scene_lightning.data.scan import is_image_name
from scene_lightning.data.walk import LeftOut, is_hidden
from scene_lightning.errors import InputError
from scene_lightning.image_sources.stored import LARGEST_IMAGE, RefusedPath, Store, StoredPath

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_MOST_FILES = 1_000_000
_BOMB_RATIO, _BOMB_BYTES = 100, 2**30  # more than both: an archive that is made to fill memory or disk
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError, ValueError,
    RuntimeError, OverflowError,
)  # fmt: skip


def is_archive(path: str) -> bool:
    """Whether a file's name is that of an archive.

    Args:
        path: of the file.
    """
    return path.lower().endswith(ENDINGS)


def images_in_archive(path: str, left_out: LeftOut | None = None) -> list[str]:
    """The images in an archive, sorted by name: `photos.zip/summer/1.jpg`.

    Args:
        path: of the archive.
        left_out: takes note of what lies in it and is no image.

    Raises:
        InputError: it is damaged, has no image or too many files, or unpacks to far more than it is.
    """
    images: dict[str, str] = {}  # of two files of one name the later one counts, as for those who unpack it
    try:
        members = _in_zip(path) if path.lower().endswith(".zip") else _in_tar(path)
        for number, member in enumerate(members):
            name = str(member)[len(path) + 1 :]
            if number >= _MOST_FILES:
                raise InputError(f"{path!r} has more than {_MOST_FILES:,} files. Unpack it, and name the folder.")
            if is_image_name(name) and not any(is_hidden(part) for part in name.split("/") if part not in ("", "..")):
                images[name] = member
            elif left_out is not None:
                left_out.add(name)
    except _DAMAGED as error:
        kind = "zip" if path.lower().endswith(".zip") else "tar"
        raise InputError(f"{path!r} is no {kind} file, or damaged: {error}.") from None
    if not images:
        raise InputError(f"No images in {path!r}. Expected names such as inside/photo.jpg.")
    return [images[name] for name in sorted(images)]


def _shown(path: str, name: str) -> str:
    return f"{path}/{name.removeprefix('./').lstrip('/')}"


def _refuse_bomb(path: str, unpacked: int, size: int) -> None:
    if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * size:
        raise InputError(
            f"{path!r} of {size:,} bytes unpacks to {unpacked:,} or more, and is not read: over {_BOMB_RATIO} times as "
            "much. Unpack it yourself if you trust it, and name the folder."
        )


# -- zip ---------------------------------------------------------------------------------------------------------------


def _in_zip(path: str) -> Iterator[str]:
    size, unpacked = os.path.getsize(path), 0
    archive, lock = zipfile.ZipFile(path), threading.Lock()
    for info in archive.infolist():
        if info.is_dir():
            continue
        name = _shown(path, info.filename)
        unpacked += info.file_size
        _refuse_bomb(path, unpacked, size)
        if info.file_size > LARGEST_IMAGE:
            yield RefusedPath(name, _too_large(info.file_size))
        elif info.flag_bits & 1:
            yield RefusedPath(name, "it is encrypted in its archive")
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield RefusedPath(name, "its archive compresses otherwise than by deflate")
        else:
            yield ZipMemberPath(name, archive, info, lock)


def _too_large(size: int) -> str:
    return f"it has {size:,} bytes, and an image in an archive at most {LARGEST_IMAGE:,}"


class ZipMemberPath(BytesPath):
    """The name of an image in a zip file.

    Args:
        path: what the image is called.
        archive: the zip file.
        info: the image's entry in it.
        lock: of the zip file.
    """

    __slots__ = ("_archive", "_info", "_lock")
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo
    _lock: threading.Lock

    def __new__(cls, path: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: threading.Lock) -> ZipMemberPath:
        member = super().__new__(cls, path)
        member._archive, member._info, member._lock = archive, info, lock
        return member

    def read_bytes(self) -> bytes:
        try:
            with self._lock, self._archive.open(self._info) as file:
                return file.read(LARGEST_IMAGE)  # never more than the entry says
        except _DAMAGED as error:
            raise OSError(f"it is damaged in its archive ({error})") from None


# -- tar ---------------------------------------------------------------------------------------------------------------


def _in_tar(path: str) -> Iterator[str]:
    compressed = not path.lower().endswith(".tar")
    with _tar_bytes(path, compressed) as file:
        store = Store() if compressed else Store(open(path, "rb"))  # noqa: SIM115  # open as long as its images' names
        with tarfile.TarFile(fileobj=file) as archive:  # type: ignore[arg-type]  # what it needs of a file is there
            for info in archive:
                name = _shown(path, info.name)
                if not info.isreg() or info.issparse():
                    continue
                if info.size > LARGEST_IMAGE:
                    yield RefusedPath(name, _too_large(info.size))
                elif not compressed:
                    yield StoredPath(name, store, info.offset_data, info.size)
                elif is_image_name(name):
                    file.seek(info.offset_data)
                    content = file.read(info.size)
                    if len(content) < info.size:
                        raise EOFError("it is cut short")
                    yield StoredPath(name, store, store.add(content), info.size)
                else:
                    yield RefusedPath(name, "")  # no image


@contextmanager
def _tar_bytes(path: str, compressed: bool) -> Iterator[_ForwardReader]:
    with open(path, "rb") as raw:
        if not compressed:
            yield _ForwardReader(path, raw, raw)
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield _ForwardReader(path, unpacked, raw)


class _ForwardReader:
    """What `tarfile` reads from: ahead only, never much at once, and no more than `_refuse_bomb` allows.

    A header may claim to be as long as it likes, and `tarfile` reads it whole.
    """

    def __init__(self, path: str, file: IO[bytes] | gzip.GzipFile, raw: IO[bytes]) -> None:
        self._path, self._file, self._size, self._position = path, file, os.fstat(raw.fileno()).st_size, 0
        self._seekable = file is raw

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if self._seekable:
            self._position = self._file.seek(position)
            return self._position
        if position < self._position:
            raise tarfile.ReadError("its entries overlap")
        while self._position < position and self.read(min(position - self._position, 2**20)):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        if size > LARGEST_IMAGE:
            raise tarfile.ReadError("a header of it is too long")
        content = self._file.read(size)
        self._position += len(content)
        _refuse_bomb(self._path, self._position, self._size)
        return content
