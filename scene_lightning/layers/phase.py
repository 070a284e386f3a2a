"""Which call is under way in; the training phase that inner layers take, and whether a call is the outermost, out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CallState(threading.local):
    """Of this thread: the phase given to the enclosing call, and how many layers are being called."""

    def __init__(self) -> None:  # called once in each thread; on the object, where torch.compile looks for them
        self.training: bool | None = None
        self.depth = 0


state = CallState()


@contextmanager
def training_phase(training: bool | None) -> Iterator[None]:
    """Within the block, layers called without `training=` take this value; None leaves it as it is."""
    before = state.training
    if training is not None:
        state.training = training
    try:
        yield
    finally:
        state.training = before


@contextmanager
def nested_call() -> Iterator[bool]:
    """Around one layer's call; gives True when no other layer's call encloses it."""
    state.depth += 1
    try:
        yield state.depth == 1
    finally:
        state.depth -= 1
