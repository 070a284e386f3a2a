"""The start of a functional model: a placeholder for a batch of inputs."""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.layer import Layer, dtype_name
from scene_lightning.layers.base.symbolic import KerasTensor, record_node
from scene_lightning.layers.base.types import DTypeLike, Shape, ShapeLike


class InputLayer(Layer):
    """The placeholder that a model starts with.

    `keras.Input` makes one and gives its tensor; a Sequential model takes the layer itself as its first.

    Args:
        shape: shape of one sample without the batch axis, e.g. (150, 150, 3); None in it: a side that may differ from
            batch to batch.
        batch_size: samples a batch, when that is fixed; None: any number.
        dtype: dtype of the inputs; "float32" by default.
        sparse, ragged: must be false: inputs are dense tensors here.
        batch_shape: shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: symbolic tensor whose shape and dtype are taken instead.
        optional: whether the model may be called with None here; kept for files, not acted on.
        name: name of the layer; by default "input_layer" with a number.
        **kwargs: `input_shape` and `batch_input_shape`, Keras 2's names of `shape` and `batch_shape`.

    Raises:
        InputError: neither or both of `shape` and `batch_shape`, or something that is no shape.
        UnsupportedError: sparse or ragged inputs.
    """

    def __init__(
        self,
        shape: int | ShapeLike | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: ShapeLike | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        shape = kwargs.pop("input_shape", shape)  # Keras 2 and 1
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        kwargs.pop("trainable", None)
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise UnsupportedError("Sparse and ragged inputs are not supported: give dense tensors.")
        if isinstance(input_tensor, KerasTensor):
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if shape is not None and batch_shape is not None:
            raise InputError("You cannot pass both `shape` and `batch_shape` at the same time.")
        if shape is None and batch_shape is None:
            raise InputError("You must pass a `shape` argument.")
        if batch_shape is None:
            batch_shape = (batch_size, *((shape,) if isinstance(shape, int) else shape))
        self.batch_shape = tuple(None if n is None else _side(n, batch_shape) for n in batch_shape)
        self.dtype_name = dtype_name(dtype or "float32")
        self.optional = bool(optional)
        self.built = True
        record_node(self, (), {}, self.batch_shape, self.dtype_name)

    def call(self, inputs: Any = None) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: ShapeLike | None = None) -> Shape:
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype_name, "sparse": False, "name": self.name}


def _side(n: Any, shape: Any) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < 0:
        raise InputError(f"Cannot convert {shape!r} to a shape. Expected whole numbers or None; found {n!r}.")
    return int(n)


def Input(  # Keras' name
    shape: int | ShapeLike | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: ShapeLike | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
    **kwargs: Any,
) -> KerasTensor:
    """Make a symbolic tensor that a functional model starts with.

    It has a shape and a dtype but no values. Layers called on it are recorded; `keras.Model(inputs, outputs)` is made
    of what was recorded.

    Args:
        shape: shape of one sample without the batch axis, e.g. (150, 150, 3); None in it: a side that may differ from
            batch to batch.
        batch_size: samples a batch, when that is fixed; None: any number.
        dtype: dtype of the inputs; "float32" by default.
        sparse, ragged: must be false: inputs are dense tensors here.
        batch_shape: shape with the batch axis, instead of `shape` and `batch_size`.
        name: name of the input, by which `fit` takes a dict; by default "input_layer" with a number.
        tensor: symbolic tensor whose shape and dtype are taken instead.
        optional: whether the model may be called with None here; kept for files, not acted on.
        **kwargs: as for `InputLayer`.

    Returns:
        A `KerasTensor` of shape (batch_size, *shape).

    Raises:
        InputError: neither or both of `shape` and `batch_shape`, or something that is no shape.
        UnsupportedError: sparse or ragged inputs.

    Example:
        >>> inputs = keras.Input(shape=(150, 150, 3))
        >>> keras.Model(inputs, keras.layers.Flatten()(inputs)).output_shape
        (None, 67500)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
        **kwargs,
    )
    return layer.output


__all__ = ["Input", "InputLayer"]
