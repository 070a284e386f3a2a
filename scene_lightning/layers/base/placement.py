"""Brings the inputs of a layer and its weights to one device, as Keras does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning.layers.base.symbolic import flatten, map_structure


def to_tensors(layer: Any, args: Any) -> Any:
    """Arrays and numbers among the arguments of a call as tensors, on the device of the layer's weights.

    Args:
        layer: the layer that is called.
        args: a structure of anything.
    """

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray | np.generic | float | int) or isinstance(leaf, bool):
            return leaf
        tensor = torch.as_tensor(np.asarray(leaf))
        tensor = tensor.float() if tensor.dtype == torch.float64 else tensor
        anchor = next(layer.parameters(), None)
        return tensor if anchor is None else tensor.to(anchor.device)

    return map_structure(convert, args)


def to_weights(layer: Any, args: Any) -> Any:
    """The tensors among the arguments of a call on the device of the layer's weights: Keras moves them as well.

    Args:
        layer: the layer that is called.
        args: a structure of anything.
    """
    anchor = next(layer.parameters(), None)
    if anchor is None or all(_is_with(anchor, leaf) for leaf in flatten(args)):
        return args
    return map_structure(lambda leaf: leaf if _is_with(anchor, leaf) else leaf.to(anchor.device), args)


def _is_with(anchor: torch.Tensor, leaf: Any) -> bool:
    """Whether it is no tensor, or with the weights; one without values (on the meta device) can be moved nowhere."""
    return not isinstance(leaf, torch.Tensor) or leaf.device == anchor.device or leaf.device.type == "meta"


def weights_to_inputs(layer: Any, inputs: Any) -> None:
    """Move weights that were just made, on the CPU, to where the first inputs lie.

    Args:
        layer: the layer.
        inputs: a structure of tensors.
    """
    first = next((leaf for leaf in flatten(inputs) if isinstance(leaf, torch.Tensor)), None)
    if first is not None and any(weight.device != first.device for weight in layer.parameters()):
        layer.to(first.device)
