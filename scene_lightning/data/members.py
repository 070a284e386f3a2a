"""Reads images that lie within tar files, where paths of files are read otherwise."""

from __future__ import annotations

import hashlib
from typing import Any


class MemberPath(str):
    """The path of an image in a tar file, for people and tables; it knows where the image's bytes lie.

    Whatever takes an image's path takes it for a file's, and whatever opens one asks `read_bytes`.

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


def content_digest(content: bytes) -> int:
    """BLAKE2b of an image file's bytes, 64 bits, as a number.

    Args:
        content: all bytes of the file.
    """
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
