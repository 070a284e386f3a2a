"""Tensors in; the same values in another shape out. Keras: "Reshaping layers"."""

from __future__ import annotations

import math
from typing import Any

import torch

from scene_lightning.layers.arguments import layout
from scene_lightning.layers.standard import StandardLayer
from scene_lightning.layers.symbolic import InputSpec

Shape = tuple[int | None, ...]


class Flatten(StandardLayer):
    """(N, H, W, C) → (N, H·W·C), in H, W, C order whatever the layout. Keras: `keras.layers.Flatten`."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = inputs.movedim(1, -1)
        return inputs.reshape(inputs.shape[0], -1) if inputs.ndim > 1 else inputs.unsqueeze(-1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = input_shape[1:]
        return input_shape[0], None if any(n is None for n in sides) else math.prod(sides)
