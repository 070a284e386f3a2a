"""`tf.nest`: `keras.tree`'s functions under TensorFlow's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scene_lightning.tree import assert_same_structure as _same
from scene_lightning.tree import flatten, is_nested, pack_sequence_as
from scene_lightning.tree import map_structure as _map


def map_structure(func: Callable[..., Any], *structure: Any, **_: Any) -> Any:
    """Calls a function with the leaves that stand in the same place, and gives a nest like the first.

    Args:
        func: takes a leaf of each nest.
        *structure: nests of one form.
        **_: for TensorFlow's sake, without effect.
    """
    return _map(func, *structure)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises a ValueError unless two nests have the same form.

    Args:
        nest1, nest2: dicts, lists and tuples of anything.
        check_types, expand_composites: for TensorFlow's sake, without effect.
    """
    _same(nest1, nest2)


__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]
