"""The bytes of an HDF5 file in; an error, or the largest text it keeps, out: a check before the HDF5 library sees them.

HDF5 keeps texts of variable length in "global heaps", chains of sized objects. The library follows such a chain
without end when an object's size is 0, and there is no way to interrupt it; so the chains are walked here first.
Source: HDF5 File Format Specification 3.0, III.E (Disk Format: Level 1E - Global Heap).
"""

from __future__ import annotations

import mmap
import os

from scene_lightning.errors import FileFormatError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_HEADER_BYTES = 16


def largest_heap_object(source: str | bytes) -> int:
    """Bytes of the largest object in any global heap of the file (a path) or its content.

    Raises:
        FileFormatError: not HDF5, or a heap that does not add up.
    """
    if isinstance(source, bytes):
        return _largest(source)
    with open(source, "rb") as handle:
        if os.fstat(handle.fileno()).st_size == 0:
            raise FileFormatError("it is empty.")
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _largest(content)


def _largest(content: bytes | mmap.mmap) -> int:
    if content[:8] != _SIGNATURE or len(content) < 32:
        raise FileFormatError("its first bytes are not HDF5's.")
    # Superblock: versions 0 and 1 keep the sizes of offsets and lengths at 13, 14; 2 and 3 at 9, 10.
    sizes = content[13:15] if content[8] < 2 else content[9:11]
    if sizes != b"\x08\x08":
        raise FileFormatError("its offsets are not 8 bytes long, as all of Keras' are.")
    largest = 0
    start = content.find(_HEAP)
    while start >= 0:
        largest = max(largest, _largest_of_heap(content, start))
        start = content.find(_HEAP, start + len(_HEAP))
    return largest


def _largest_of_heap(content: bytes | mmap.mmap, start: int) -> int:
    end = start + int.from_bytes(content[start + 8 : start + 16], "little")
    if end > len(content):
        raise FileFormatError("a text heap runs over the end of the file; it is incomplete.")
    largest, at = 0, start + _HEADER_BYTES
    while at + _HEADER_BYTES <= end:
        index = int.from_bytes(content[at : at + 2], "little")
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        step = _HEADER_BYTES + (size + 7) // 8 * 8 if index else size  # object 0 is free space, header included
        if step < _HEADER_BYTES or at + step > end:
            raise FileFormatError("a text heap does not add up; the file is damaged.")
        if index:
            largest = max(largest, size)
        at += step
    return largest
