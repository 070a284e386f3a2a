"""`tf.sparse`: the few tensors that are given by their places and values, as `tf.io.VarLenFeature` gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.dtypes import TensorShape
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.utils.text import strings


class SparseTensor:
    """Values (n,) at places (n, axes) of a shape (axes,); the rest is empty. TensorFlow: `tf.sparse.SparseTensor`.

    Args:
        indices: (values, axes) whole numbers.
        values: (values,) numbers or texts.
        dense_shape: (axes,) the sides of the whole.
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        self.indices = as_tensor(indices, torch.int64).reshape(-1, len(as_tensor(dense_shape)))
        self.values, self.dense_shape = as_tensor(values), as_tensor(dense_shape, torch.int64)

    @property
    def shape(self) -> TensorShape:
        """The sides of the whole tensor."""
        return TensorShape(self.dense_shape.tolist())

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    @classmethod
    def stacked(cls, parts: tuple[SparseTensor, ...]) -> SparseTensor:
        """Joins several along a new batch axis, as wide as the widest."""
        rows = [torch.full((len(part.indices), 1), number) for number, part in enumerate(parts)]
        indices = torch.cat([torch.cat([row, part.indices], 1) for row, part in zip(rows, parts, strict=True)])
        shape = torch.stack([part.dense_shape for part in parts]).amax(0)
        if isinstance(parts[0].values, torch.Tensor):
            values: Any = torch.cat([part.values for part in parts])
        else:
            values = strings([value for part in parts for value in part.values])
        return cls(indices, values, torch.cat([torch.tensor([len(parts)]), shape]))

    def __repr__(self) -> str:
        return f"SparseTensor(indices={self.indices}, values={self.values}, dense_shape={self.dense_shape})"


def to_dense(sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: Any = None) -> Any:
    """Gives the whole tensor; a dense one as it is.

    Args:
        sp_input: a `SparseTensor`, or a tensor.
        default_value: what stands at places without a value; None for 0 or "".
        validate_indices, name: for TensorFlow's sake, without effect.
    """
    if not isinstance(sp_input, SparseTensor):
        return as_tensor(sp_input)
    sides, places = tuple(sp_input.dense_shape.tolist()), tuple(sp_input.indices.unbind(-1))
    if isinstance(sp_input.values, torch.Tensor):
        fill = 0 if default_value is None else default_value
        whole = torch.full(sides, fill, dtype=sp_input.values.dtype)
        whole[places] = sp_input.values
        return whole
    texts = np.full(sides, b"" if default_value is None else default_value, dtype=object)
    texts[tuple(place.numpy() for place in places)] = np.asarray(sp_input.values)
    return strings(texts)


def from_dense(tensor: Any, name: Any = None) -> SparseTensor:
    """Gives the values that are not 0, and their places.

    Args:
        tensor: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    whole = as_tensor(tensor)
    places = torch.argwhere(whole != 0)
    return SparseTensor(places, whole[tuple(places.unbind(-1))], whole.shape)
