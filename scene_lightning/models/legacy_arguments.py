"""Reads Keras 1's and 2's arguments of `fit`, `evaluate` and `predict`, and warns once for each line that uses one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scene_lightning._usage_report import ledger
from scene_lightning.layers.base.legacy_spelling import old_keras


def ignore_show_accuracy(value: Any) -> None:
    """Note an argument from before Keras 1.0, which took no notice of it any more.

    Args:
        value: what was given; False and None need no note.
    """
    if value:
        ledger.ignore("show_accuracy=True", "pass metrics=['accuracy'] to compile(), as since Keras 1.0")


def usable_class_weight(value: Any, looped: bool) -> Any:
    """`class_weight` of `fit`, without what Keras 2 ignored in programs that are that old (or use `fit_generator`).

    Args:
        value: what `fit` was given.
        looped: whether the program called `fit_generator`.
    """
    if value is None or isinstance(value, Mapping) or not (looped or old_keras.evidence):
        return value
    shown = repr(value) if isinstance(value, str) else type(value).__name__
    ledger.ignore(f"class_weight={shown}", "Keras 2 ignored all but a dict {class: weight}")
    return None


def translated(kwargs: dict[str, Any], old: str, new: str, value: Any, per: int | None = None) -> Any:
    """Read an argument under its name of Keras 1; counts of samples become counts of batches.

    Args:
        kwargs: further arguments of the call; the old one is taken out.
        old: Keras 1's name.
        new: its name today.
        value: what is given under today's name.
        per: samples a batch, where the old argument counts samples; None where it does not.
    """
    if old not in kwargs:
        return value
    given = kwargs.pop(old)
    deprecated(f"{old}=", f"{new}=")
    return given if not per or given is None else max(1, int(given) // per)


def deprecated(old: str, new: str) -> None:
    """Warn once for each line of a program: Python's own record of that is lost whenever a library sets a filter.

    Args:
        old: what the program wrote.
        new: what to write instead.
    """
    level, caller = 2, sys._getframe(1)
    while caller.f_back is not None and caller.f_code.co_filename.startswith(_PACKAGE):
        level, caller = level + 1, caller.f_back
    place = (old, caller.f_code.co_filename, caller.f_lineno)
    if place not in _warned:
        _warned.add(place)
        warnings.warn(f"`{old}` is an old spelling; use `{new}`.", DeprecationWarning, stacklevel=level)


_PACKAGE = str(Path(__file__).resolve().parents[1])
_warned: set[tuple[str, str, int]] = set()
