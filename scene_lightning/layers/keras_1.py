"""Layers that Keras 1 had under other names: `merge`, `Merge`, `AtrousConvolution1D` and `AtrousConvolution2D`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.types import ShapeLike
from scene_lightning.layers.convolution import Conv1D, Conv2D
from scene_lightning.layers.core import Lambda
from scene_lightning.layers.merging import Add, Average, Concatenate, Dot, Maximum, Multiply

AtrousConvolution1D, AtrousConvolution2D = Conv1D, Conv2D  # atrous_rate= is dilation_rate=

_ELEMENTWISE: dict[str, Any] = {"sum": Add, "mul": Multiply, "ave": Average, "max": Maximum}


def merge(
    inputs: Sequence[Any],
    mode: str | Callable[[Any], Any] = "sum",
    concat_axis: int = -1,
    dot_axes: int | Sequence[Any] = -1,
    output_shape: ShapeLike | Callable[[Any], Any] | None = None,
    output_mask: Any = None,
    arguments: dict[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    """Make one tensor of several, as Keras 1 did.

    New programs write `add`, `multiply`, `average`, `maximum`, `concatenate` or `dot`. Source: Keras 2.0's
    `keras.legacy`.

    Args:
        inputs: list of at least two tensors.
        mode: "sum", "mul", "ave", "max", "concat", "dot", "cos" (cosine similarity), or a function of the list.
        concat_axis: the axis of "concat".
        dot_axes: the axes that "dot" and "cos" sum along: one for both inputs, or one for each.
        output_shape: for a function: shape of its result without batch axis; None: found by running it on zeros.
        output_mask: must be None: masks belong to sequence models.
        arguments: for a function: its further keyword arguments.
        name: name of the layer.

    Returns:
        One tensor.

    Raises:
        InputError: another mode.
    """
    return _layer_of(mode, concat_axis, dot_axes, output_shape, output_mask, arguments, name)(inputs)


def Merge(layers: Sequence[Any] | None = None, mode: str | Callable[[Any], Any] = "sum", **kwargs: Any) -> Any:
    """Make Keras 1's layer that merges: `Merge(mode="concat")(tensors)`.

    Args:
        layers: must be empty: see below.
        mode: as for `merge`.
        **kwargs: the other arguments of `merge`.

    Returns:
        A layer that is called on a list of tensors.

    Raises:
        InputError: another mode.
        UnsupportedError: `Merge([model, model])`, the start of a Sequential model with several inputs.
    """
    if layers:
        raise UnsupportedError(
            "Merge([first, second]) begins a Sequential model with several inputs, which is not supported. Write "
            "merge([first.output, second.output], mode=...) and Model([first.input, second.input], output)."
        )
    return _layer_of(mode, **kwargs)


def _layer_of(
    mode: str | Callable[[Any], Any],
    concat_axis: int = -1,
    dot_axes: int | Sequence[Any] = -1,
    output_shape: ShapeLike | Callable[[Any], Any] | None = None,
    output_mask: Any = None,
    arguments: dict[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    if callable(mode):
        return Lambda(mode, output_shape=output_shape, mask=output_mask, arguments=arguments, name=name)
    if mode in _ELEMENTWISE:
        return _ELEMENTWISE[mode](name=name)
    if mode == "concat":
        return Concatenate(axis=concat_axis, name=name)
    if mode in ("dot", "cos"):
        return Dot(axes=_pair(dot_axes), normalize=mode == "cos", name=name)
    raise InputError(
        f"Invalid merge mode {mode!r}. Expected one of {[*_ELEMENTWISE, 'concat', 'dot', 'cos']} or a function."
    )


def _pair(axes: Any) -> Any:
    """Keras 1 also wrote ([1], [1])."""
    return [axis[0] if isinstance(axis, list | tuple) else axis for axis in axes] if not isinstance(axes, int) else axes


__all__ = ["AtrousConvolution1D", "AtrousConvolution2D", "Merge", "merge"]
