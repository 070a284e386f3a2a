"""Says on the terminal what a run waits for when its data do not come: a file, a generator, a loader."""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from scene_lightning.data.image_files import opened
from scene_lightning.feeds.prefetch import maker_of

T = TypeVar("T")

# The first line comes after so long without a batch, each further one after twice the time of the one before.
WAIT_SECONDS = 60.0
_PACKAGE = str(Path(__file__).parents[1])
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def reporting_waits(batches: Iterator[T], source: str) -> Iterator[T]:
    """Give batches as they come; whoever waits for one for a minute is told of it on stderr, and waits on.

    Args:
        batches: gives them.
        source: what they come from, in words.
    """
    consumer = threading.get_ident()
    waits_since: list[float | None] = [None]
    ended = threading.Event()

    def watch() -> None:
        told, limit = None, WAIT_SECONDS
        while not ended.wait(min(1.0, WAIT_SECONDS / 4)):
            since = waits_since[0]
            if since != told:
                told, limit = since, WAIT_SECONDS
            waited = 0.0 if since is None else time.monotonic() - since
            if waited >= limit:
                limit *= 2
                print(f"\nwaiting for data for {waited:.0f} s: {_what(consumer, source)}", file=sys.stderr, flush=True)

    threading.Thread(target=watch, name="scene-lightning-waits", daemon=True).start()
    try:
        while True:
            waits_since[0] = time.monotonic()
            try:
                batch = next(batches)
            except StopIteration:
                return
            waits_since[0] = None
            yield batch
    finally:
        ended.set()


def _what(consumer: int, source: str) -> str:
    frames = sys._current_frames()
    files = {path for frame in frames.values() if (path := _file_being_read(frame)) is not None}
    if files:
        return f"the file {min(files)!r} is being read"
    place = _place(frames.get(maker_of(consumer)))
    return f"{source}, at {place}" if place else source


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _file_being_read(frame: FrameType) -> str | None:
    return next((str(one.f_locals.get("path")) for one in _callers(frame) if one.f_code is opened.__code__), None)


def _place(frame: FrameType | None) -> str:
    """The line of the user's code that makes a batch; where there is none, that of the library's that is called."""
    inside = []
    for one in _callers(frame):
        if one.f_code.co_filename.startswith(_PACKAGE):
            break
        inside.append(one)
    own = [one for one in inside if not one.f_code.co_filename.startswith(_INSTALLED)]
    frame = own[0] if own else inside[-1] if inside else None
    return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}()" if frame else ""
