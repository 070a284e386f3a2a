"""Finds image files with equal content, and keeps them on one side when images are divided."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.members import MemberPath, content_digest, read_image_bytes

_READERS = 8  # reading waits for the disk, and hashing lets go of Python's lock


def file_digest(path: str) -> int:
    """BLAKE2b of a file's bytes, 64 bits, as a number; of an image in a tar file, as its index says.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be read.
    """
    return path.digest if isinstance(path, MemberPath) else content_digest(read_image_bytes(path))


def find_copies(paths: Sequence[str]) -> list[list[int]]:
    """The positions of files with equal content: a list for each content that occurs more than once, in order.

    Only files of equal size are read. A file that cannot be read has no copies.

    Args:
        paths: of the files.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for position, path in enumerate(paths):
        by_size[_size(path)].append(position)
    by_size.pop(-1, None)
    alike = sorted(position for group in by_size.values() if len(group) > 1 for position in group)
    by_content: dict[int, list[int]] = defaultdict(list)
    with ThreadPoolExecutor(_READERS) as readers:
        for position, digest in zip(alike, readers.map(_digest_or_none, (paths[one] for one in alike)), strict=True):
            if digest is not None:
                by_content[digest].append(position)
    return [group for group in by_content.values() if len(group) > 1]


def _size(path: str) -> int:
    if isinstance(path, MemberPath):
        return path.size
    try:
        return os.stat(path).st_size if os.path.isfile(path) else -1
    except OSError:
        return -1


def _digest_or_none(path: str) -> int | None:
    try:
        return file_digest(path)
    except OSError:
        return None


def keep_copies_together(
    parts: NDArray[np.int64], labels: NDArray[np.int64], copies: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """Parts of a division, changed so that copies are in one part; unchanged where they are already.

    A copy goes to the part of the first of its group, and an image of its class that has no copies takes its place, so
    that the parts keep their sizes as far as there are such images.

    Args:
        parts: (N,) the number of the part that each image is in.
        labels: (N,) class numbers.
        copies: groups of positions with equal content.

    Returns:
        (N,) the parts, anew.
    """
    parts = parts.copy()
    alone = np.ones(len(parts), dtype=bool)
    alone[[position for group in copies for position in group]] = False
    for group in copies:
        target = parts[group[0]]
        for position in group:
            if parts[position] == target:
                continue
            exchanged = np.flatnonzero(alone & (parts == target) & (labels == labels[position]))
            if len(exchanged):
                parts[exchanged[0]] = parts[position]
                alone[exchanged[0]] = False  # moved once
            parts[position] = target
    return parts
