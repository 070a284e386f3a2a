"""The name of a network that is not here in; a function that says so, and what to use instead, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scene_lightning._unsupported import mark_absent
from scene_lightning.errors import UnsupportedError


def missing(title: str, instead: str) -> Callable[..., NoReturn]:
    """A constructor that raises UnsupportedError."""

    def construct(*args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(f"keras.applications.{title} is not here: torchvision has no such network. {instead}")

    construct.__name__ = construct.__qualname__ = title
    construct.__doc__ = f"Not here: {instead}"
    return mark_absent(construct)
