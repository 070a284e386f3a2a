"""`tf.flags` and `tf.app` of TensorFlow 1: a program's options, by Abseil, whose flags they were."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

try:
    from absl import app as _app
    from absl import flags as _flags
except ImportError as missing:  # it comes with tensorboard
    raise ImportError("tf.flags needs the package absl-py: pip install absl-py") from missing

# TensorFlow's names of the arguments → Abseil's.
_ARGUMENTS = {"flag_name": "name", "default_value": "default", "docstring": "help"}


class _Flags:
    """The program's flags, which are read from its arguments when one is first asked for, as in TensorFlow 1."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and not _flags.FLAGS.is_parsed():
            _flags.FLAGS(sys.argv)
        return getattr(_flags.FLAGS, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_flags.FLAGS, name, value)

    def __call__(self, argv: Any, known_only: bool = False) -> Any:
        return _flags.FLAGS(argv, known_only)

    def __iter__(self) -> Any:
        return iter(_flags.FLAGS)

    def __getitem__(self, name: str) -> Any:
        return _flags.FLAGS[name]


def _define(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def define(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{_ARGUMENTS.get(name, name): value for name, value in kwargs.items()})

    return define


FLAGS = _Flags()
DEFINE_string, DEFINE_integer = _define(_flags.DEFINE_string), _define(_flags.DEFINE_integer)
DEFINE_float, DEFINE_bool = _define(_flags.DEFINE_float), _define(_flags.DEFINE_bool)
DEFINE_boolean, DEFINE_enum = DEFINE_bool, _define(_flags.DEFINE_enum)
DEFINE_list, DEFINE_multi_string = _define(_flags.DEFINE_list), _define(_flags.DEFINE_multi_string)
DEFINE_multi_integer, DEFINE_multi_float = _define(_flags.DEFINE_multi_integer), _define(_flags.DEFINE_multi_float)
mark_flag_as_required, mark_flags_as_required = _flags.mark_flag_as_required, _flags.mark_flags_as_required


def run(main: Any = None, argv: Any = None) -> NoReturn:
    """Reads the flags, calls the program's main function, and ends with its status.

    Args:
        main: takes the arguments that are no flags; None for the program's `main`.
        argv: None for the program's arguments.
    """
    _app.run(main or sys.modules["__main__"].main, argv)  # type: ignore[attr-defined]
    raise SystemExit(0)


__all__ = [
    "FLAGS", "DEFINE_bool", "DEFINE_boolean", "DEFINE_enum", "DEFINE_float", "DEFINE_integer", "DEFINE_list",
    "DEFINE_multi_float", "DEFINE_multi_integer", "DEFINE_multi_string", "DEFINE_string", "mark_flag_as_required",
    "mark_flags_as_required", "run",
]  # fmt: skip
