"""Finds the inputs of a symbolic tensor. Keras 2: `keras.engine.get_source_inputs`."""

from __future__ import annotations

from typing import Any

from scene_lightning.applications._arguments import source_inputs
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.models import Functional as Container
from scene_lightning.models import Functional as Network


def get_source_inputs(tensor: KerasTensor, layer: Any = None, node_index: Any = None) -> list[KerasTensor]:
    """The `Input`s that `tensor` is computed from, each once."""
    inputs = source_inputs(tensor)
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


__all__ = ["Container", "Network", "get_source_inputs"]
