"""Knows which call is under way: whether it trains, and whether it is the outermost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CallState(threading.local):
    """Of this thread: the phase given to the enclosing call, how many layers are being called, and the path of names
    under which the innermost makes its weights."""

    def __init__(self) -> None:  # called once in each thread; on the object, where torch.compile looks for them
        self.training: bool | None = None
        self.depth = 0
        self.path = ""
        self.caller: Any = None


state = CallState()


@contextmanager
def training_phase(training: bool | None) -> Iterator[None]:
    """Within the block, layers called without `training=` take this value; None leaves it as it is.

    Args:
        training: True for training, False for inference.
    """
    before = state.training
    if training is not None:
        state.training = training
    try:
        yield
    finally:
        state.training = before


@contextmanager
def nested_call(layer: Any) -> Iterator[bool]:
    """Around one layer's call; gives True when no other layer's call encloses it.

    Args:
        layer: the layer that is called.
    """
    state.depth += 1
    before = state.path, state.caller
    _enter(layer)
    try:
        yield state.depth == 1
    finally:
        state.depth -= 1
        state.path, state.caller = before


@contextmanager
def name_scope(layer: Any) -> Iterator[None]:
    """Within the block weights are made under this layer's name: "model/layer/kernel". Keras: `name_scope`.

    Args:
        layer: the layer that makes weights.
    """
    before = state.path, state.caller
    _enter(layer)
    try:
        yield
    finally:
        state.path, state.caller = before


def _enter(layer: Any) -> None:
    if state.caller is not layer:  # its build within its call adds nothing
        state.path = f"{state.path}/{layer.name}" if state.path else layer.name
        state.caller = layer
