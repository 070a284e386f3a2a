"""Decodes the images of a table once and keeps them, in memory or in a memory map on disk.

A cache file is named after everything that decides its pixels (files' names, sizes, times, target size, …), so a
stale one is never found. It is written under another name and gets its own when complete, and a sidecar written last
says what it holds: without the sidecar it does not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import atomic_write, write_text
from scene_lightning._registry import did_you_mean
from scene_lightning.data.decode import DecodeSpec, Unreadable, decode_many
from scene_lightning.data.members import MemberPath
from scene_lightning.data.memory import available_memory
from scene_lightning.data.sources import ArraySource, FileSource, ImageSource
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError, InputError

MODES = ("auto", "off", "ram", "disk")
_FORMAT = 3  # raise it when the same key would mean other bytes
_CHUNK = 256  # images decoded between two writes
_ABANDONED_AFTER = 24 * 3600.0  # seconds; a partial file this old belongs to no living process


@dataclass(frozen=True, eq=False)
class CachedImages:
    """Images that are ready to be read.

    Attributes:
        table: the readable images; row i belongs to image i of `source`.
        source: what a feed reads.
        unreadable: the files that were left out, with the reason.
        mode: "off", "ram" or "disk".
        place: where the pixels lie, in words or as a path.
        size_bytes: what they take there.
        reused: whether an earlier run had written them.
        strict: whether an image that cannot be read (any more, without a cache) is an error.
    """

    table: ImageTable
    source: ImageSource
    unreadable: list[Unreadable]
    mode: str
    place: str
    size_bytes: int
    reused: bool = False
    strict: bool = False

    def subset(self, rows: NDArray[np.int64]) -> CachedImages:
        """The images at `rows`, in that order, without decoding or copying them again."""
        rows = np.asarray(rows, dtype=np.int64)
        table, source = self.table.take(rows), self.source
        chosen: ImageSource
        if isinstance(source, FileSource):
            chosen = FileSource(table.paths, source.spec)
        else:
            assert isinstance(source, ArraySource)
            held = source.rows[rows] if isinstance(source, _RowSource) else rows
            chosen = _RowSource(source.images, held)
        return replace(self, table=table, source=chosen, unreadable=[])

    def describe(self) -> str:
        """One line for a person."""
        size = f"{self.size_bytes / 2**20:.0f} MiB"
        if self.mode == "off":
            return f"{len(self.table)} images, decoded as they are read (no cache)."
        state = "found" if self.reused else "decoded"
        return f"{len(self.table)} images {state}: {size} in {self.place}."


def cache_folder() -> Path:
    """Where cache files go: SCENE_LIGHTNING_CACHE, or scene_lightning in XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("SCENE_LIGHTNING_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scene_lightning"


def choose_mode(mode: str, size_bytes: int) -> str:
    """Say where decoded pixels go: for "auto", "ram" up to a quarter of the free memory, else "disk".

    Args:
        mode: one of `MODES`.
        size_bytes: what the decoded pixels take.
    """
    if mode not in MODES:
        raise InputError(f"Unknown cache {mode!r}. Expected one of {', '.join(MODES)}.{did_you_mean(mode, MODES)}")
    if mode != "auto":
        return mode
    return "ram" if size_bytes <= available_memory() // 4 else "disk"


def _cache_key(paths: Sequence[str], spec: DecodeSpec) -> str:
    """A name for the pixels of `paths`: changes when a file's name, size or time, or the decoding, changes."""
    return files_key(paths, [_FORMAT, asdict(spec)])


def files_key(paths: Sequence[str], about: Any) -> str:
    """Make a name for something that is computed from these files as they are now.

    Args:
        paths: the files; one that is missing counts as such.
        about: what is made of them, in JSON's types.
    """
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for path in paths:
        if isinstance(path, MemberPath):
            digest.update(json.dumps([os.path.abspath(path), path.size, path.digest]).encode())
            continue
        try:
            status = os.stat(path)
            stamp: Any = [os.path.abspath(path), status.st_size, status.st_mtime_ns]
        except OSError:
            stamp = [os.path.abspath(path), None]
        digest.update(json.dumps(stamp).encode())
    return digest.hexdigest()[:32]


def cache_images(
    table: ImageTable,
    spec: DecodeSpec,
    mode: str = "auto",
    *,
    folder: Path | None = None,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> CachedImages:
    """Decode every image of a table once.

    Args:
        mode: "off" decodes on every read, "ram" keeps the pixels in memory, "disk" in a memory map that later runs
            and other processes share, "auto" chooses (`choose_mode`).
        folder: of the memory maps; None for `cache_folder()`.
        strict: an unreadable image is an error instead of being left out.
        progress: called with a number of images after as many were decoded.
        table: the images.
        spec: how files become pixels.

    Raises:
        DataError: an unreadable image with `strict`, no readable image at all, or no room on the disk.
    """
    size = len(table) * int(np.prod(spec.shape))
    mode = choose_mode(mode, size)
    if mode == "disk":
        pixels, unreadable, path, reused = _on_disk(table.paths, spec, folder or cache_folder(), progress)
        place = str(path)
    elif mode == "ram":
        pixels, reused, place = np.empty((len(table), *spec.shape), np.uint8), False, "memory"
        unreadable = decode_many(table.paths, spec, pixels, progress=progress)
    else:
        pixels, reused, place, size = None, False, "the image files", 0
        unreadable = find_unreadable(table.paths, spec, progress)
    if unreadable and strict:
        raise DataError(unreadable[0].reason)
    if len(unreadable) == len(table):
        raise DataError(f"None of the {len(table)} images in {table.root!r} can be read. {unreadable[0].reason}")
    kept = np.setdiff1d(np.arange(len(table)), [one.position for one in unreadable])
    readable = table.take(kept)
    source: ImageSource = FileSource(readable.paths, spec) if pixels is None else _rows(pixels, kept)
    return CachedImages(readable, source, unreadable, mode, place, size, reused, strict)


class _RowSource(ArraySource):
    """Some rows of an array, without copying the others away: a memory map stays one."""

    def __init__(self, images: NDArray[Any], rows: NDArray[np.int64]) -> None:
        super().__init__(images)
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def read_into(self, positions: NDArray[np.int64], out: NDArray[Any]) -> list[Unreadable]:
        return super().read_into(self.rows[positions], out)


def _rows(pixels: NDArray[np.uint8], kept: NDArray[np.int64]) -> ArraySource:
    return ArraySource(pixels) if len(kept) == len(pixels) else _RowSource(pixels, kept)


def find_unreadable(
    paths: Sequence[str], spec: DecodeSpec, progress: Callable[[int], None] | None = None
) -> list[Unreadable]:
    """Find the files that cannot be decoded: decodes all of them, keeps none.

    Args:
        paths: the files.
        spec: how they become pixels.
        progress: called with a number of images after as many were decoded.
    """
    scratch = np.empty((min(_CHUNK, len(paths)), *spec.shape), np.uint8)
    unreadable: list[Unreadable] = []
    for start in range(0, len(paths), _CHUNK):
        part = paths[start : start + _CHUNK]
        failed = decode_many(part, spec, scratch[: len(part)], progress=progress)
        unreadable += [Unreadable(start + one.position, one.path, one.reason) for one in failed]
    return unreadable


def _on_disk(
    paths: Sequence[str], spec: DecodeSpec, folder: Path, progress: Callable[[int], None] | None
) -> tuple[NDArray[np.uint8], list[Unreadable], Path, bool]:
    key = _cache_key(paths, spec)
    path, sidecar = folder / f"{key}.u8", folder / f"{key}.json"
    shape = (len(paths), *spec.shape)
    unreadable = _read_sidecar(sidecar, path, key, shape)
    reused = unreadable is not None
    if unreadable is None:
        unreadable = _write(paths, spec, path, sidecar, key, progress)
    return np.memmap(path, np.uint8, "r", shape=shape), unreadable, path, reused


def _read_sidecar(sidecar: Path, path: Path, key: str, shape: tuple[int, ...]) -> list[Unreadable] | None:
    """The unreadable files of a complete cache; None when there is none that can be trusted."""
    try:
        record = json.loads(sidecar.read_text())
        complete = (
            record["format"] == _FORMAT
            and record["key"] == key
            and tuple(record["shape"]) == shape
            and path.stat().st_size == int(np.prod(shape))
        )
        return [Unreadable(**one) for one in record["unreadable"]] if complete else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(
    paths: Sequence[str], spec: DecodeSpec, path: Path, sidecar: Path, key: str, progress: Callable[[int], None] | None
) -> list[Unreadable]:
    shape = (len(paths), *spec.shape)
    _make_room(path.parent, int(np.prod(shape)))
    with atomic_write(path) as partial:
        pixels = np.memmap(partial, np.uint8, "w+", shape=shape)
        unreadable = decode_many(paths, spec, pixels, progress=progress)
        del pixels
        sidecar.unlink(missing_ok=True)
    description = {
        "what": "decoded images of scene_lightning: uint8, row-major",
        "format": _FORMAT,
        "key": key,
        "shape": shape,
        "decoding": asdict(spec),
        "unreadable": [asdict(one) for one in unreadable],
    }
    write_text(sidecar, json.dumps(description))
    return unreadable


def _make_room(folder: Path, size_bytes: int) -> None:
    """Make the folder, sweep out what killed runs left, and refuse early when the disk is too small."""
    cure = "Use --set cache=ram or --set cache=off, or set SCENE_LIGHTNING_CACHE to another folder."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.partial"):
            if time.time() - left.stat().st_mtime > _ABANDONED_AFTER:
                left.unlink(missing_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DataError(f"Cannot write a cache into {str(folder)!r}: {error}. {cure}") from error
    if size_bytes > free:
        raise DataError(
            f"The cache needs {size_bytes / 2**20:.0f} MiB and {str(folder)!r} has {free / 2**20:.0f} MiB left. {cure}"
        )
