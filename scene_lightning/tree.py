"""Nested lists, tuples, dicts, named tuples in; their leaves, or the same nest of other leaves, out. Keras: `tree`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scene_lightning.errors import InputError


class MAP_TO_NONE:
    """What a function returns to `traverse` to put None in the place of a part."""


def is_nested(structure: Any) -> bool:
    """Whether it is a list, a tuple or a dict. Keras: `tree.is_nested`."""
    return isinstance(structure, list | tuple | Mapping)


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; those of a dict by its sorted keys. Keras: `tree.flatten`."""
    return [leaf for _, leaf in _leaves(structure, ())]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """(path, leaf) of each leaf. Keras: `tree.flatten_with_path`."""
    return list(_leaves(structure, ()))


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """`func` of the leaves that stand in the same place, in a nest like the first. Keras: `tree.map_structure`.

    Raises:
        InputError: the nests differ.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got: {func}")
    if not structures:
        raise InputError("Must provide at least one structure")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    results = (
        None if not none_is_leaf and all(leaf is None for leaf in leaves) else func(*leaves)
        for leaves in zip(*map(flatten, structures), strict=True)
    )
    return pack_sequence_as(structures[0], list(results))


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`map_structure` that stops where the shallow nest ends. Keras: `tree.map_structure_up_to`."""
    parts = [list(_up_to(shallow_structure, structure)) for structure in structures]
    return pack_sequence_as(shallow_structure, [func(*leaves) for leaves in zip(*parts, strict=True)])


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise InputError (a ValueError) unless both are nested alike. Keras: `tree.assert_same_structure`."""
    if is_nested(a) != is_nested(b) or (is_nested(a) and not _alike(a, b)):
        raise InputError(f"`a` and `b` don't have the same structure. Received: a={a}, b={b}")
    if is_nested(a):
        for (_, first), (_, second) in zip(_children(a), _children(b), strict=True):
            assert_same_structure(first, second)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise InputError unless the leaves of both stand at the same paths. Keras: `tree.assert_same_paths`."""
    first, second = ({path for path, _ in flatten_with_path(one)} for one in (a, b))
    if first != second:
        raise InputError(f"`a` and `b` don't have the same paths. Differing: {sorted(map(str, first ^ second))}")


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """The leaves `flat_sequence`, nested like `structure`. Keras: `tree.pack_sequence_as`."""
    leaves = list(flat_sequence)
    count = len(flatten(structure))
    if count != len(leaves):
        raise InputError(f"The structure has {count} leaves, the sequence {len(leaves)}: {leaves}")
    return _packed(structure, iter(leaves))


def lists_to_tuples(structure: Any) -> Any:
    """The same nest with tuples for lists. Keras: `tree.lists_to_tuples`."""
    return traverse(lambda part: tuple(part) if type(part) is list else None, structure, top_down=False)


def map_shape_structure(func: Callable[..., Any], structure: Any) -> Any:
    """`func` of each shape (a tuple or list of numbers and None). Keras: `tree.map_shape_structure`."""
    is_shape = isinstance(structure, list | tuple) and all(n is None or isinstance(n, int) for n in structure)
    if is_shape:
        return func(tuple(structure))
    if not is_nested(structure):
        raise InputError(f"Cannot map function to unknown object {structure!r}. Expected a shape.")
    return _rebuilt(structure, [map_shape_structure(func, part) for _, part in _children(structure)])


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Replace each part for which `func` gives something; None keeps it. Keras: `tree.traverse`."""
    if top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    if is_nested(structure):
        structure = _rebuilt(structure, [traverse(func, part, top_down) for _, part in _children(structure)])
    if not top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    return structure


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
        found = dict(zip(sorted(structure), parts, strict=True))
        return type(structure)((key, found[key]) for key in structure)  # type: ignore[call-arg]
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*parts)
    return type(structure)(parts)


__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip
