"""The merging layers as functions: `add([a, b])` is `Add()([a, b])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scene_lightning.layers.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Add several tensors.

    The same as `keras.layers.Add()(inputs)`.

    Args:
        inputs: list of tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Subtract the second tensor from the first.

    The same as `keras.layers.Subtract()(inputs)`.

    Args:
        inputs: list of two tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Multiply several tensors, element by element.

    The same as `keras.layers.Multiply()(inputs)`.

    Args:
        inputs: list of tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Take the mean of several tensors, element by element.

    The same as `keras.layers.Average()(inputs)`.

    Args:
        inputs: list of tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Take the largest of several tensors, element by element.

    The same as `keras.layers.Maximum()(inputs)`.

    Args:
        inputs: list of tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Take the smallest of several tensors, element by element.

    The same as `keras.layers.Minimum()(inputs)`.

    Args:
        inputs: list of tensors of shapes that broadcast, symbolic or with values.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Put several tensors one after the other along an axis.

    The same as `keras.layers.Concatenate(axis)(inputs)`.

    Args:
        inputs: list of tensors of the same shape but for `axis`, symbolic or with values.
        axis: the axis; -1, the channels, by default.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """Multiply two tensors and sum along an axis of each, sample by sample.

    The same as `keras.layers.Dot(axes)(inputs)`.

    Args:
        inputs: list of two tensors whose sides along `axes` agree, symbolic or with values.
        axes: the axis to sum along in both, or one for each.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Returns:
        One tensor.
    """
    return Dot(axes=axes, **kwargs)(inputs)


__all__ = ["add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"]
