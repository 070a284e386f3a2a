"""`tf.autograph`: Python runs as it is written here."""

from typing import Any


def set_verbosity(level: int = 0, alsologtostdout: bool = False) -> None:
    """Does nothing, for nothing is logged.

    Args:
        level, alsologtostdout: for TensorFlow's sake, without effect.
    """


def do_not_convert(func: Any = None) -> Any:
    """Gives the function as it is.

    Args:
        func: what is decorated; None where the decorator has brackets.
    """
    return func if func is not None else lambda decorated: decorated


def to_graph(entity: Any, *_: Any, **__: Any) -> Any:
    """Gives the function as it is.

    Args:
        entity: a function.
        *_, **__: for TensorFlow's sake, without effect.
    """
    return entity
