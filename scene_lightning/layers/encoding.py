"""Encodes numbers of classes as one-hot, multi-hot or counted vectors. Keras: `keras.layers.CategoryEncoding`."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import one_of, positive_int
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape, ShapeLike

MODES = ("one_hot", "multi_hot", "count")


def encoded(numbers: torch.Tensor, mode: str, depth: int, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Encode whole numbers as float32 vectors of `depth`; numbers outside 0 … depth - 1 count as nothing.

    Args:
        numbers: () or (N,): one sample; (N, n): a row a sample. For "one_hot" any shape; a last side of 1 goes.
        mode: "one_hot", "multi_hot" (1 where a number occurs) or "count".
        weights: of each number, in its shape, for "count".
        depth: number of classes, the length of the vectors.
    """
    if numbers.ndim == 0:
        numbers = numbers.unsqueeze(0)
    if mode == "one_hot" and numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers.squeeze(-1)
    rows = (numbers.unsqueeze(-1) == torch.arange(depth, device=numbers.device)).float()
    if mode == "one_hot":
        return rows
    axis = 1 if numbers.ndim > 1 else 0
    if mode == "multi_hot":
        return rows.amax(axis)
    return (rows if weights is None else rows * weights.unsqueeze(-1)).sum(axis)


def _joined(values: Any) -> torch.Tensor:
    """Lists of scalar tensors, to any depth, as one tensor: under the runner `torch.as_tensor` takes no such list."""
    if isinstance(values, list | tuple) and values:
        return torch.stack([_joined(value) for value in values])
    return torch.as_tensor(values)


class CategoryEncoding(StandardLayer):
    """Turn numbers of classes into vectors.

    Args:
        num_tokens: number of classes, the length of the vectors; required.
        output_mode: "one_hot": each number becomes a vector of its own; "multi_hot": a sample's numbers become one
            vector, with 1 where a number occurs; "count": one vector of how often each occurs.
        sparse: must be false: tensors are dense here.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: whole numbers from 0 to num_tokens - 1: a tensor, an array or a list.
        count_weights: weight of each number, in the shape of the inputs, for "count".

    Input shape:
        (batch, numbers), or (batch,).

    Output shape:
        (batch, num_tokens) in float32; for "one_hot" (batch, numbers, num_tokens) where there are several a sample.

    Raises:
        InputError: no `num_tokens`, an unknown mode, or numbers out of range (looked at on the CPU alone; elsewhere
            such a number counts as nothing).
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        num_tokens = kwargs.pop("max_tokens", num_tokens)  # Keras 2.4
        super().__init__(**kwargs)
        if num_tokens is None:
            raise InputError(
                "num_tokens must be set to use this layer. If the number of tokens is not known beforehand, use the "
                "IntegerLookup layer instead."
            )
        if sparse:
            raise InputError("CategoryEncoding(sparse=True) is not supported: tensors here are dense.")
        self.num_tokens = positive_int(num_tokens, "num_tokens")
        self.output_mode = one_of(
            {"binary": "multi_hot"}.get(output_mode, output_mode), MODES, "output_mode", "CategoryEncoding"
        )
        self.sparse = False

    def call(self, inputs: Any, count_weights: Any = None) -> torch.Tensor:
        numbers = _joined(inputs)
        if count_weights is not None:
            if self.output_mode != "count":
                raise InputError(f"count_weights needs output_mode='count'; this layer's is {self.output_mode!r}.")
            count_weights = torch.as_tensor(count_weights).to(numbers.device, torch.float32)
        if numbers.device.type == "cpu" and numbers.numel():  # elsewhere a look would wait for the device
            least, most = numbers.min().item(), numbers.max().item()
            if least < 0 or most >= self.num_tokens:
                raise InputError(
                    f"Input values must be in the range 0 <= values < num_tokens with num_tokens={self.num_tokens}; "
                    f"received {least} to {most}."
                )
        return encoded(numbers, self.output_mode, self.num_tokens, count_weights)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        shape = tuple(input_shape)
        if self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1):
            return (*shape, self.num_tokens)
        return (*shape[:-1], self.num_tokens)


__all__ = ["CategoryEncoding"]
