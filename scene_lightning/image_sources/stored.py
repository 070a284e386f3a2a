"""Keeps the bytes of images that lie in no file of their own, and reads them again, in constant memory."""

from __future__ import annotations

import tempfile
import threading
from typing import IO

from scene_lightning.data.members import BytesPath

LARGEST_IMAGE = 2**28  # bytes of one image of an archive, an address or standard input


class Store:
    """A file that several threads read pieces of: an archive, or a temporary file without a name.

    Args:
        file: open for reading; None for a temporary file, which goes when the process ends.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = tempfile.TemporaryFile() if file is None else file  # noqa: SIM115  # as long as the store
        self._lock = threading.Lock()

    def add(self, content: bytes) -> int:
        """Append to the temporary file; where it begins in it.

        Args:
            content: of one image.

        Raises:
            OSError: the disk is full.
        """
        with self._lock:
            offset = self._file.seek(0, 2)
            self._file.write(content)
            return offset

    def read(self, offset: int, size: int) -> bytes:
        """Read a piece.

        Args:
            offset: where it begins.
            size: how many bytes it has.
        """
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class StoredPath(BytesPath):
    """The name of an image that is a piece of a larger file.

    Args:
        path: what the image is called.
        store: the larger file.
        offset: where it begins in it.
        size: how many bytes it has.
    """

    __slots__ = ("_offset", "_size", "_store")
    _store: Store
    _offset: int
    _size: int

    def __new__(cls, path: str, store: Store, offset: int, size: int) -> StoredPath:
        made = super().__new__(cls, path)
        made._store, made._offset, made._size = store, offset, size
        return made

    def read_bytes(self) -> bytes:
        content = self._store.read(self._offset, self._size)
        if len(content) < self._size:
            raise OSError("what it lies in was cut short")
        return content


class RefusedPath(BytesPath):
    """The name of an image that is not read.

    Args:
        path: what the image is called.
        reason: why it is not read.
    """

    __slots__ = ("_reason",)
    _reason: str

    def __new__(cls, path: str, reason: str) -> RefusedPath:
        made = super().__new__(cls, path)
        made._reason = reason
        return made

    def read_bytes(self) -> bytes:
        raise OSError(self._reason)
