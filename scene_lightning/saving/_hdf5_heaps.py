"""Checks the text heaps of an HDF5 file, and finds its largest text, before the HDF5 library sees them.

HDF5 keeps texts of variable length in "global heaps", chains of sized objects. The library follows such a chain
without end when an object's size is 0, and there is no way to interrupt it; so the chains are walked here first.
Whoever uses a text names its length again (length, heap, number: 4, 8 and 4 bytes), and the library reserves so much,
up to 4 GB, before it looks at the object; so these are compared with the objects, too.
Source: HDF5 File Format Specification 3.0, III.E (Disk Format: Level 1E - Global Heap).
"""

from __future__ import annotations

import mmap
import os
import re

from scene_lightning.errors import FileFormatError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_HEADER_BYTES = 16
_MAX_SEARCHED = 2**34  # bytes looked through for uses of texts, all heaps together: some seconds


def largest_heap_object(source: str | bytes) -> int:
    """Find the largest object in any global heap of a file, in bytes.

    Args:
        source: the file's path, or its content.

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
    heaps = {start: _objects_of(content, start) for start in _positions(content, _HEAP)}
    if len(heaps) * len(content) > _MAX_SEARCHED:
        raise FileFormatError(f"it keeps its texts in {len(heaps)} heaps; expected a few.")
    for start, objects in heaps.items():
        _check_uses(content, start, objects)
    return max((size for objects in heaps.values() for size in objects.values()), default=0)


def _positions(content: bytes | mmap.mmap, pattern: bytes) -> list[int]:
    # numbers, not matches: those would hold the mapped file open through an error
    return [match.start() for match in re.finditer(re.escape(pattern), content)]


def _check_uses(content: bytes | mmap.mmap, start: int, sizes: dict[int, int]) -> None:
    """Raise if a reference to an object of this heap declares a longer text than the object is."""
    for at in _positions(content, start.to_bytes(8, "little")):
        if at < 4:
            continue
        length = int.from_bytes(content[at - 4 : at], "little")
        number = int.from_bytes(content[at + 8 : at + 12], "little")
        if length > sizes.get(number, length):
            raise FileFormatError(f"a text declares {length} bytes, more than are stored; the file is damaged.")


def _objects_of(content: bytes | mmap.mmap, start: int) -> dict[int, int]:
    """Number → size in bytes of each object in the heap at `start`."""
    end = start + int.from_bytes(content[start + 8 : start + 16], "little")
    if end > len(content):
        raise FileFormatError("a text heap runs over the end of the file; it is incomplete.")
    sizes: dict[int, int] = {}
    at = start + _HEADER_BYTES
    while at + _HEADER_BYTES <= end:
        index = int.from_bytes(content[at : at + 2], "little")
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        step = _HEADER_BYTES + (size + 7) // 8 * 8 if index else size  # object 0 is free space, header included
        if step < _HEADER_BYTES or at + step > end:
            raise FileFormatError("a text heap does not add up; the file is damaged.")
        if index:
            sizes[index] = size
        at += step
    return sizes
