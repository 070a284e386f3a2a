"""`keras.tree` beside the real Keras, on random nests."""

from __future__ import annotations

import collections
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import tree

Pair = collections.namedtuple("Pair", "x y")
LEAVES = st.integers(0, 9) | st.none() | st.text(max_size=2)
NESTS: Any = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("dcba"), inner, max_size=3)
        | st.tuples(inner, inner).map(lambda two: Pair(*two))
    ),
    max_leaves=8,
)


@given(nest=NESTS)
def test_any_nest_gives_what_keras_gives(nest: Any) -> None:
    theirs = keras.tree
    assert tree.flatten(nest) == theirs.flatten(nest)
    assert tree.is_nested(nest) == theirs.is_nested(nest)
    assert tree.map_structure(lambda leaf: (leaf, 1), nest) == theirs.map_structure(lambda leaf: (leaf, 1), nest)
    leaves = list(range(len(tree.flatten(nest))))
    packed = tree.pack_sequence_as(nest, leaves)
    assert packed == theirs.pack_sequence_as(nest, leaves) and type(packed) is type(
        theirs.pack_sequence_as(nest, leaves)
    )
    assert tree.lists_to_tuples(nest) == theirs.lists_to_tuples(nest)
    double = lambda part: part * 2 if isinstance(part, int) else None  # noqa: E731
    for top_down in (True, False):
        assert tree.traverse(double, nest, top_down) == theirs.traverse(double, nest, top_down)
    assert [leaf for _, leaf in tree.flatten_with_path(nest)] == tree.flatten(nest)
    assert tree.map_structure_up_to(nest, lambda leaf: leaf, nest) == nest
    tree.assert_same_paths(nest, nest)


@given(a=NESTS, b=NESTS)
def test_the_same_nests_are_the_same(a: Any, b: Any) -> None:
    def agrees(library: Any) -> bool:
        try:
            library.assert_same_structure(a, b)
        except (ValueError, TypeError):
            return False
        return True

    assert agrees(tree) == agrees(keras.tree)


def test_shapes_errors_and_names() -> None:
    assert tree.map_shape_structure(lambda s: len(s), [(None, 3), {"a": (1, 2, 3)}]) == [2, {"a": 3}]
    assert tree.traverse(lambda part: tree.MAP_TO_NONE if part == 1 else None, [1, 2]) == [None, 2]
    with pytest.raises(ValueError, match="leaves"):
        tree.pack_sequence_as([1, 2], [1])
    with pytest.raises(ValueError, match="paths"):
        tree.assert_same_paths([1], {"a": 1})
    with pytest.raises(TypeError):
        tree.map_structure(3, [1])
    assert {name for name in dir(keras.tree) if name[0] != "_"} <= set(tree.__all__)
