"""Keeps Ctrl-C and SIGTERM as a program expects them while Lightning's Trainer runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L


@contextmanager
def keeping_interrupts() -> Iterator[Any]:
    """Lightning answers Ctrl-C with exit(1) and a deaf process, and SIGTERM not at all; a notebook wants
    KeyboardInterrupt, and a scheduler that the program ends."""
    holder: dict[str, L.Trainer] = {}
    try:
        before = signal.getsignal(signal.SIGINT)
        ends = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if ends:
            signal.signal(signal.SIGTERM, _terminate)  # Lightning calls it, too
    except ValueError:
        before, ends = None, False
    try:
        yield holder
    except SystemExit as error:
        trainer = holder.get("trainer")
        if trainer is not None and trainer.interrupted and error.code != _TERMINATED:
            raise KeyboardInterrupt from None
        raise
    finally:
        if before is not None and signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)
        if ends:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


_TERMINATED = 128 + signal.SIGTERM


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(_TERMINATED)
