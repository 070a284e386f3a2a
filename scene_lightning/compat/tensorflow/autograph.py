"""`tf.autograph`: Python runs as it is written here."""

from typing import Any


def set_verbosity(level: int = 0, alsologtostdout: bool = False) -> None:
    """Nothing is logged."""


def do_not_convert(func: Any = None) -> Any:
    """The function as it is."""
    return func if func is not None else lambda decorated: decorated


def to_graph(entity: Any, *_: Any, **__: Any) -> Any:
    """The function as it is."""
    return entity


__all__ = ["do_not_convert", "set_verbosity", "to_graph"]
