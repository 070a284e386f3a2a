"""Reads images that lie in no file of their own but within tar files, and names them as files are named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


class BytesPath(str):
    """The name of an image that lies in no file of that name, for people and tables; it knows how to read its bytes.

    Whatever takes an image's path takes it for a file's, and whatever opens one asks `read_bytes`.
    """

    __slots__ = ()

    def read_bytes(self) -> bytes:
        """Read all bytes of the image.

        Raises:
            OSError: they cannot be had.
        """
        raise NotImplementedError


class MemberPath(BytesPath):
    """The path of an image in a tar file of shards.

    Args:
        path: what the image is called: the folder of the shards, the split, the class, the file.
        tar: the tar file's path.
        offset: where the image begins in it, in bytes.
        size: how many bytes it has.
        digest: `content_digest` of them.
    """

    __slots__ = ("digest", "offset", "size", "tar")
    tar: str
    offset: int
    size: int
    digest: int

    def __new__(cls, path: str, tar: str, offset: int, size: int, digest: int) -> MemberPath:
        member = super().__new__(cls, path)
        member.tar, member.offset, member.size, member.digest = tar, offset, size, digest
        return member

    def __reduce__(self) -> tuple[Any, ...]:
        return MemberPath, (str(self), self.tar, self.offset, self.size, self.digest)

    def read_bytes(self) -> bytes:
        """Read the image's bytes, and check that they are those that were written.

        Raises:
            OSError: the tar file is gone, cut short or altered.
        """
        try:
            with open(self.tar, "rb", buffering=0) as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except FileNotFoundError:
            raise OSError(f"{self.tar!r} has gone") from None
        if len(content) < self.size or content_digest(content) != self.digest:
            raise OSError(f"{self.tar!r} is damaged or was changed, at byte {self.offset}")
        return content


def read_image_bytes(path: str) -> bytes:
    """Read all bytes of an image, wherever it lies.

    Args:
        path: a file's, or a `BytesPath`.

    Raises:
        OSError: they cannot be had.
    """
    return path.read_bytes() if isinstance(path, BytesPath) else Path(path).read_bytes()


def content_digest(content: bytes) -> int:
    """BLAKE2b of an image file's bytes, 64 bits, as a number.

    Args:
        content: all bytes of the file.
    """
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
