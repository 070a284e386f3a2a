"""Counts the images of each class and their sizes, from the files' headers alone.

What was read of a large folder is kept beside the decoded images (see cache.py), under a name made from the files'
names, sizes and times: a second look at an unchanged folder opens no file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.cache import cache_folder, files_key
from scene_lightning.data.decode import UNREADABLE, default_threads
from scene_lightning.data.image_files import header_size
from scene_lightning.data.table import ImageTable

_WORTH_KEEPING = 1000  # images; fewer are read in no time


@dataclass(frozen=True)
class SizeStatistics:
    """Sizes of the readable images of one class, in pixels; zeros when there is none.

    Attributes:
        images: how many were readable.
        height_mean, height_min, height_max, width_mean, width_min, width_max: pixels.
    """

    images: int
    height_mean: float
    height_min: int
    height_max: int
    width_mean: float
    width_min: int
    width_max: int


@dataclass(frozen=True)
class ImageStatistics:
    """Sizes of a folder's images.

    Attributes:
        classes: sizes by class name.
        unreadable: the files that no header could be read from.
        images: how many were readable.
    """

    classes: dict[str, SizeStatistics]
    unreadable: list[str]
    images: int


def image_size(path: str) -> tuple[int, int] | None:
    """(height, width) in pixels of the upright picture, from a file's header, or None when it is no image.

    Args:
        path: the file.
    """
    try:
        return header_size(path)
    except UNREADABLE:
        return None


def image_statistics(table: ImageTable) -> ImageStatistics:
    """Count, mean, minimum and maximum height and width per class; decodes nothing, so 10,000 images take a second.

    Args:
        table: the images; one with several labels counts for each of them.
    """
    sizes = _sizes(table.paths)
    readable = sizes[:, 0] > 0
    numbers = range(len(table.class_names))
    of = [table.labels == number if table.targets is None else table.targets[:, number] > 0 for number in numbers]
    classes = {name: _summarise(sizes[of[number] & readable]) for number, name in enumerate(table.class_names)}
    return ImageStatistics(classes, [table.paths[row] for row in np.flatnonzero(~readable)], int(readable.sum()))


def _sizes(paths: Sequence[str]) -> NDArray[np.int64]:
    """(N, 2) heights and widths; zeros for what is no image."""
    kept = cache_folder() / f"{files_key(paths, 'sizes 2')}.sizes.npy" if len(paths) >= _WORTH_KEEPING else None
    if kept is not None:
        try:
            sizes = np.load(kept, allow_pickle=False)
            if sizes.shape == (len(paths), 2) and sizes.dtype == np.int64:
                return sizes
        except (OSError, ValueError, EOFError):
            pass  # none, or a damaged one: it is made anew
    with ThreadPoolExecutor(default_threads()) as pool:
        sizes = np.array([size or (0, 0) for size in pool.map(image_size, paths)], dtype=np.int64).reshape(-1, 2)
    if kept is not None:
        with contextlib.suppress(OSError):  # no room or no right to write: the next look reads the headers again
            kept.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(kept) as partial, partial.open("wb") as file:
                np.save(file, sizes)
    return sizes


def _summarise(sizes: np.ndarray) -> SizeStatistics:
    if not len(sizes):
        return SizeStatistics(0, 0.0, 0, 0, 0.0, 0, 0)
    mean, low, high = sizes.mean(0), sizes.min(0), sizes.max(0)
    return SizeStatistics(
        images=len(sizes),
        height_mean=float(mean[0]),
        height_min=int(low[0]),
        height_max=int(high[0]),
        width_mean=float(mean[1]),
        width_min=int(low[1]),
        width_max=int(high[1]),
    )
