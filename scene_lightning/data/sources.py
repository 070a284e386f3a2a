"""Reads pixels at given positions, of arrays or of files, into memory that the caller owns."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.decode import DecodeSpec, Unreadable, decode_many, default_threads
from scene_lightning.errors import DataError


class ImageSource(Protocol):
    """N images of one shape."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int: ...

    def read_into(self, positions: NDArray[np.int64], out: NDArray[Any]) -> list[Unreadable]:
        """Fill `out` (n, H, W, C) with the images at `positions`; what could not be read, by its row in `out`."""
        ...


class ArraySource:
    """Images that are decoded already: an array in memory or a memory map, uint8 or float32 (N, H, W, C).

    Args:
        images: the pixels.
    """

    def __init__(self, images: NDArray[Any]) -> None:
        if images.ndim != 4:
            raise DataError(f"Expected images of shape (N, height, width, channels); received {images.shape}.")
        self.images = images
        self.shape: tuple[int, ...] = images.shape[1:]
        self.dtype = images.dtype

    def __len__(self) -> int:
        return len(self.images)

    def read_into(self, positions: NDArray[np.int64], out: NDArray[Any]) -> list[Unreadable]:
        np.take(self.images, positions, axis=0, out=out, mode="clip")  # "raise" would copy through a buffer
        return []


class FileSource:
    """Images that are decoded when they are read.

    Args:
        paths: the files.
        spec: how they become pixels.
        keep_after: from how many reads on what was decoded is remembered, so that later passes read no file (costs
            N·H·W·C bytes as it fills): 0 from the start, N from the second pass on; None never.
    """

    def __init__(self, paths: Sequence[str], spec: DecodeSpec, keep_after: int | None = None) -> None:
        self.paths, self.spec = list(paths), spec
        self.shape: tuple[int, ...] = spec.shape
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._pool: ThreadPoolExecutor | None = None
        self.keep_after, self._reads = keep_after, 0
        self._kept: NDArray[np.uint8] | None = None
        self._filled = np.zeros(len(self.paths), dtype=bool)

    def __len__(self) -> int:
        return len(self.paths)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # threads do not travel to another process

    def read_into(self, positions: NDArray[np.int64], out: NDArray[Any]) -> list[Unreadable]:
        self._reads += len(positions)
        if self._kept is None:
            if self.keep_after is None or self._reads <= self.keep_after:
                return self._decode(positions, out)
            self._kept = np.empty((len(self), *self.shape), np.uint8)
        missing = np.flatnonzero(~self._filled[positions])
        unreadable: list[Unreadable] = []
        if len(missing):
            fresh = np.empty((len(missing), *self.shape), np.uint8)
            failed = self._decode(positions[missing], fresh)
            self._kept[positions[missing]] = fresh
            self._filled[positions[missing]] = True
            unreadable = [Unreadable(int(missing[u.position]), u.path, u.reason) for u in failed]
            self._filled[[positions[u.position] for u in unreadable]] = False
        np.take(self._kept, positions, axis=0, out=out, mode="clip")
        return unreadable

    def _decode(self, positions: NDArray[np.int64], out: NDArray[Any]) -> list[Unreadable]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(default_threads(), thread_name_prefix="scene-lightning-decode")
        return decode_many([self.paths[position] for position in positions], self.spec, out, self._pool)
