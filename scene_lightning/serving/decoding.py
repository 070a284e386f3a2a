"""Decodes uploaded photographs in processes of their own, which a hostile file can end without harm to the server."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import warnings

import anyio
import numpy as np
from anyio import to_process
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scene_lightning.data.decode import UNREADABLE, DecodeSpec, as_seen, default_threads, pixels_of, unreadable_reason
from scene_lightning.data.image_files import PHOTOGRAPHS, identify
from scene_lightning.serving.limits import Limits, RefusedError, in_megabytes

_EXPECTED = "A photograph as JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF."
_EXPORT = "Save it as a JPEG or PNG file, and send that."
_LARGE_PIXELS = 12_500_000  # photographs beyond it never take all decoders, so that usual ones need not wait for them
SEEN_SIDE = 640  # pixels of the longer side of the copy that a heat map is laid on
_MOST_PROCESSES = 16  # of 45 MB each
_MOST_SCANS = 100  # of a progressive JPEG, which has some ten: each is a pass over all pixels
_MEMORY_BYTES = 3 * 2**30  # of a decoder's address space; the largest photograph takes about half of it
_prepared = [False]


class Decoders:
    """Some processes that decode; each that crashes or takes too long is replaced, and harms one photograph alone.

    Args:
        spec: how photographs become pixels.
        limits: pixels and seconds.
        processes: how many; None for two a core, 16 at most: on a busy machine one waits for its turn.
    """

    def __init__(self, spec: DecodeSpec, limits: Limits, processes: int | None = None) -> None:
        self.spec, self.limits = spec, limits
        self.processes = processes or min(_MOST_PROCESSES, 2 * default_threads())
        self._all = asyncio.Semaphore(self.processes)
        self._for_large = asyncio.Semaphore(max(1, self.processes - 1))
        self._limiter = anyio.CapacityLimiter(self.processes)

    async def decode(self, content: bytes) -> NDArray[np.uint8]:
        """The pixels (H, W, C) of an image file.

        Args:
            content: all bytes of the file.

        Raises:
            RefusedError: it is no photograph, damaged, or beyond a limit.
        """
        return await self._when_free(content, self.spec)

    async def as_seen(self, content: bytes) -> NDArray[np.uint8]:
        """A small copy of an image file as people see it, (height, width, 3).

        Args:
            content: all bytes of the file.

        Raises:
            RefusedError: as for `decode`.
        """
        return await self._when_free(content, None)

    async def _when_free(self, content: bytes, spec: DecodeSpec | None) -> NDArray[np.uint8]:
        try:
            return await self._decode(content, spec, _LARGE_PIXELS)
        except _Large:
            async with self._for_large:
                return await self._decode(content, spec, None)

    async def _decode(self, content: bytes, spec: DecodeSpec | None, patience: int | None) -> NDArray[np.uint8]:
        seconds, work = self.limits.seconds_to_decode, (content, spec, self.limits.pixels, patience)
        async with self._all:
            try:
                with anyio.fail_after(seconds):
                    return await to_process.run_sync(decode, *work, cancellable=True, limiter=self._limiter)
            except TimeoutError:
                received = f"{in_megabytes(len(content))} that were not decoded within {seconds:g} s."
                raise RefusedError(413, _EXPECTED, received, _EXPORT) from None
            except anyio.BrokenWorkerProcess:
                raise RefusedError(400, _EXPECTED, "A file that crashes its decoder.", _EXPORT) from None

    async def warm_up(self) -> None:
        """Start all processes, however long that takes."""
        memory = io.BytesIO()
        Image.new("RGB", (8, 8)).save(memory, "PNG")
        work = (memory.getvalue(), self.spec, self.limits.pixels, None)
        starts = (to_process.run_sync(decode, *work, limiter=self._limiter) for _ in range(self.processes))
        await asyncio.gather(*starts)


class _Large(Exception):
    """A photograph that must wait until one decoder more than those for large ones is free."""


def decode(content: bytes, spec: DecodeSpec | None, most_pixels: int, patience: int | None) -> NDArray[np.uint8]:
    """Decode an image file as `predict` does; runs in a decoder's process.

    Args:
        content: all bytes of the file.
        spec: how it becomes pixels; None for a small copy as people see it.
        most_pixels: beyond it the photograph is refused.
        patience: beyond so many pixels nothing is decoded; None for no such bound.

    Raises:
        RefusedError: it is no photograph, damaged, or has too many pixels.
    """
    _prepare()
    try:
        image = identify(io.BytesIO(content))
        if image.format not in PHOTOGRAPHS:
            raise RefusedError(415, _EXPECTED, f"A file of format {image.format}.", _EXPORT)
        pixels = image.width * image.height
        if pixels > most_pixels:
            raise _too_many(f"{image.width:,} × {image.height:,} pixels", most_pixels)
        if image.format in ("JPEG", "MPO") and (scans := content.count(b"\xff\xda")) > _MOST_SCANS:
            raise RefusedError(413, _EXPECTED, f"A JPEG file of {scans:,} scans.", _EXPORT)
        if patience is not None and pixels > patience:
            raise _Large
        if spec is not None:
            return pixels_of(image, spec)
        picture = as_seen(image, SEEN_SIDE)
        picture.thumbnail((SEEN_SIDE, SEEN_SIDE), Image.Resampling.LANCZOS)
        return np.asarray(picture)
    except Image.DecompressionBombError:
        raise _too_many(f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels", most_pixels) from None
    except MemoryError:
        received = f"{in_megabytes(len(content))} that need more memory than a photograph."
        raise RefusedError(413, _EXPECTED, received, _EXPORT) from None
    except UnidentifiedImageError as error:
        raise _unknown(content, unreadable_reason(error)) from None
    except UNREADABLE as error:
        received = f"A damaged or incomplete image file: {unreadable_reason(error)}"
        raise RefusedError(400, _EXPECTED, received, "Send the original file, whole.") from None


def _too_many(size: str, most: int) -> RefusedError:
    expected = f"A photograph of at most {most:,} pixels."
    return RefusedError(413, expected, f"One of {size}.", "Make it smaller; the network sees a small copy anyway.")


def _unknown(content: bytes, reason: str) -> RefusedError:
    if not content:
        return RefusedError(400, _EXPECTED, "An empty file.", "Send the bytes of an image file.")
    words, _, cure = reason.partition(": pip install")  # HEIC or AVIF without their reader, on the server
    if cure:
        return RefusedError(
            415, f"{_EXPECTED} {words}.", "A file that needs it.", f"{_EXPORT} On the server: pip install{cure}"
        )
    received = (
        "A text, such as a web page." if _is_text(content[:512]) else "No image, or one in a format that is not read."
    )
    return RefusedError(415, _EXPECTED, received, _EXPORT)


def _is_text(start: bytes) -> bool:
    return b"\0" not in start and sum(byte >= 127 or byte < 9 for byte in start) < len(start) // 20


def _prepare() -> None:
    """Once a process: bounds its memory, and leaves Ctrl-C to the server."""
    if _prepared[0]:
        return
    _prepared[0] = True
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
