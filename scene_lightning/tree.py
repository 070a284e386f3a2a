"""Flattens, maps and compares nested lists, tuples and dicts. Keras: `keras.tree`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scene_lightning.errors import InputError

_NESTS = (list, tuple, Mapping)


class MAP_TO_NONE:
    """What a function returns to `traverse` to put None in the place of a part."""


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, a tuple or a dict.

    Args:
        structure: anything.
    """
    return isinstance(structure, _NESTS)


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of a structure in order; those of a dict by its sorted keys.

    Args:
        structure: nested lists, tuples and dicts, or a single leaf.
    """
    if not isinstance(structure, _NESTS):
        return [structure]
    parts = structure if isinstance(structure, list | tuple) else [structure[key] for key in sorted(structure)]
    return [leaf for part in parts for leaf in flatten(part)]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of a structure with their places.

    Args:
        structure: nested lists, tuples and dicts, or a single leaf.

    Returns:
        A list of (path, leaf); a path is a tuple of keys and indices.
    """
    return list(_leaves(structure, ()))


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply a function to the leaves that stand in the same place.

    Args:
        func: function of one leaf of each structure.
        *structures: nested lists, tuples and dicts, all alike.
        none_is_leaf: whether None is handed to `func`; otherwise it stays None.

    Returns:
        A structure like the first, of the results.

    Raises:
        InputError: the structures differ.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got: {func}")
    if not structures:
        raise InputError("Must provide at least one structure")
    if len(structures) == 1 and none_is_leaf:
        return map_leaves(func, structures[0])
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    results = (
        None if not none_is_leaf and all(leaf is None for leaf in leaves) else func(*leaves)
        for leaves in zip(*map(flatten, structures), strict=True)
    )
    return pack_sequence_as(structures[0], list(results))


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply a function to the parts that stand in the place of another structure's leaves.

    Args:
        shallow_structure: structure whose leaves say where to stop.
        func: function of one part of each structure.
        *structures: structures that are at least as deep.

    Returns:
        A structure like the shallow one, of the results.
    """
    parts = [list(_up_to(shallow_structure, structure)) for structure in structures]
    return pack_sequence_as(shallow_structure, [func(*leaves) for leaves in zip(*parts, strict=True)])


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raise an error unless two structures are nested alike.

    Args:
        a: the one structure.
        b: the other.
        check_types: taken as in Keras, without effect.

    Raises:
        InputError: the structures differ.
    """
    if is_nested(a) != is_nested(b) or (is_nested(a) and not _alike(a, b)):
        raise InputError(f"`a` and `b` don't have the same structure. Received: a={a}, b={b}")
    if is_nested(a):
        for (_, first), (_, second) in zip(_children(a), _children(b), strict=True):
            assert_same_structure(first, second)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise an error unless the leaves of two structures stand at the same paths.

    Args:
        a: the one structure.
        b: the other.

    Raises:
        InputError: the paths differ.
    """
    first, second = ({path for path, _ in flatten_with_path(one)} for one in (a, b))
    if first != second:
        raise InputError(f"`a` and `b` don't have the same paths. Differing: {sorted(map(str, first ^ second))}")


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """Nest a flat list of leaves like another structure.

    Args:
        structure: structure to follow.
        flat_sequence: the leaves, in the order of `flatten`.

    Raises:
        InputError: there are too few or too many leaves.
    """
    leaves = list(flat_sequence)
    count = len(flatten(structure))
    if count != len(leaves):
        raise InputError(f"The structure has {count} leaves, the sequence {len(leaves)}: {leaves}")
    return _packed(structure, iter(leaves))


def lists_to_tuples(structure: Any) -> Any:
    """Replace the lists in a structure by tuples.

    Args:
        structure: nested lists, tuples and dicts.
    """
    return traverse(lambda part: tuple(part) if type(part) is list else None, structure, top_down=False)


def map_shape_structure(func: Callable[..., Any], structure: Any) -> Any:
    """Apply a function to each shape in a structure of shapes.

    Args:
        func: function of a tuple.
        structure: shapes (tuples or lists of numbers and None), nested in lists, tuples and dicts.
    """
    is_shape = isinstance(structure, list | tuple) and all(n is None or isinstance(n, int) for n in structure)
    if is_shape:
        return func(tuple(structure))
    if not is_nested(structure):
        raise InputError(f"Cannot map function to unknown object {structure!r}. Expected a shape.")
    return _rebuilt(structure, [map_shape_structure(func, part) for _, part in _children(structure)])


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Replace parts of a structure, whole branches as well as leaves.

    Args:
        func: function of a part: None keeps it, `MAP_TO_NONE` puts None in its place, anything else replaces it.
        structure: nested lists, tuples and dicts.
        top_down: whether a part is asked for before what is in it.
    """
    if top_down and (replacement := func(structure)) is not None:
        return None if replacement is MAP_TO_NONE else replacement
    if is_nested(structure):
        structure = _rebuilt(structure, [traverse(func, part, top_down) for _, part in _children(structure)])
    if not top_down and (replacement := func(structure)) is not None:
        return None if replacement is MAP_TO_NONE else replacement
    return structure


def map_leaves(func: Callable[[Any], Any], structure: Any, is_branch: Callable[[Any], bool] = is_nested) -> Any:
    """Apply a function to the leaves of one structure.

    Args:
        func: function of a leaf.
        structure: nested lists, tuples and dicts, or a single leaf.
        is_branch: says which parts are no leaves.
    """
    if not is_branch(structure):
        return func(structure)
    if type(structure) in (list, tuple):  # the usual ones, at every call of a layer
        return type(structure)([map_leaves(func, part, is_branch) for part in structure])
    return _rebuilt(structure, [map_leaves(func, part, is_branch) for _, part in _children(structure)])


def _children(structure: Any) -> list[tuple[Any, Any]]:
    if isinstance(structure, Mapping):
        return [(key, structure[key]) for key in sorted(structure)]
    return list(enumerate(structure))


def _leaves(structure: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(structure):
        yield path, structure
        return
    for key, part in _children(structure):
        yield from _leaves(part, (*path, key))


def _up_to(shallow: Any, deep: Any) -> Iterator[Any]:
    if not is_nested(shallow):
        yield deep
        return
    if not is_nested(deep) or len(shallow) != len(deep):
        raise InputError(f"The structure {deep!r} does not have the parts of {shallow!r}.")
    for (_, first), (_, second) in zip(_children(shallow), _children(deep), strict=True):
        yield from _up_to(first, second)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and sorted(a) == sorted(b)
    return type(a) is type(b) and len(a) == len(b)


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if not is_nested(structure):
        return next(leaves)
    return _rebuilt(structure, [_packed(part, leaves) for _, part in _children(structure)])


def _rebuilt(structure: Any, parts: list[Any]) -> Any:
    if isinstance(structure, Mapping):
        rebuilt: Any = copy.copy(structure)  # of its class and with its order: a defaultdict knows its default
        rebuilt.update(zip(sorted(structure), parts, strict=True))
        return rebuilt
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*parts)
    return type(structure)(parts)


__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip
