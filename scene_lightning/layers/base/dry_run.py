"""Finds a layer's output shapes by running it once on zeros."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.layers.base.symbolic import KerasTensor, is_shape, merge_shapes, shape_leaves, shapes_of
from scene_lightning.tree import map_shape_structure

_UNKNOWN_LENGTH = 33  # stands for an unknown height or width


def dry_run(layer: Any, *input_shapes: Any, **kwargs: Any) -> Any:
    """Output shapes, by running the layer on zeros of batch size 1 (unknown sides stand at 33, then at 47).

    Args:
        layer: a layer whose weights exist.
        *input_shapes: shape, or structure of shapes, of each positional argument, batch axis included.
        **kwargs: keyword arguments of the call, as `shape_or_value` gives them.
    """

    def run(length: int) -> Any:
        def zeros(shape: Any) -> torch.Tensor:
            filled = [1, *(length if n is None else n for n in shape[1:])] if shape else []
            return torch.zeros(filled)

        def restore(leaf: Any) -> Any:
            return zeros(leaf) if is_shape(leaf) and not isinstance(leaf, str) else leaf

        inputs = [
            shape if isinstance(shape, int | float) else map_shape_structure(zeros, shape) for shape in input_shapes
        ]
        keywords = {
            key: restore(value) if isinstance(value, _SymbolicShape) else value for key, value in kwargs.items()
        }
        with torch.inference_mode(False), torch.no_grad():
            return shapes_of(layer.forward(*inputs, **{"training": False, **keywords}))

    first = run(_UNKNOWN_LENGTH)
    unknown = any(n is None for shape in input_shapes for leaf in shape_leaves(shape) for n in leaf[1:])
    second = run(_UNKNOWN_LENGTH + 14) if unknown else first
    return merge_shapes(first, second)


class _SymbolicShape(tuple):
    """The shape of a symbolic keyword argument, told apart from an ordinary tuple."""


def shape_or_value(leaf: Any) -> Any:
    """What stands for an argument in a dry run: the shape of a `KerasTensor`, anything else as it is.

    Args:
        leaf: an argument of a call.
    """
    return _SymbolicShape(leaf.shape) if isinstance(leaf, KerasTensor) else leaf
