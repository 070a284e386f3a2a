"""Switches the fast paths on or off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_enabled = os.environ.get("SCENE_LIGHTNING_FAST", "1").strip().lower() not in ("0", "false", "off", "no")


def set_fast_paths(enabled: bool) -> None:
    """Turn the fast paths on (the default) or off, for the whole process.

    Args:
        enabled: whether they are on.
    """
    global _enabled
    _enabled = bool(enabled)


def fast_paths_enabled() -> bool:
    """Whether the fast paths are taken."""
    return _enabled


@contextmanager
def plain_paths() -> Iterator[None]:
    """Within the block everything is computed the plain way."""
    before = _enabled
    set_fast_paths(False)
    try:
        yield
    finally:
        set_fast_paths(before)
