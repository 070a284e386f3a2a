"""A model in; its weights as the tree of arrays that Keras' files hold, and the tensors in the tree's order, out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from scene_lightning.layers.base import Layer
from scene_lightning.layers.tracking import TrackedList
from scene_lightning.saving import LayerWeights, structural_keys


def weight_tree(layer: Any, path: str = "", seen: set[int] | None = None) -> tuple[LayerWeights, list[torch.Tensor]]:
    """A model → its tree of arrays, and the tensors themselves in the tree's own order."""
    seen = set() if seen is None else seen
    seen.add(id(layer))
    own = [(name, getattr(layer, name), spec) for name, spec in layer._weight_specs.items()]
    own.sort(key=lambda item: not item[2].trainable)  # Keras: trainable ones first; sort() keeps the rest in order
    node = LayerWeights(
        name=layer.name, path=path,
        arrays=[_array(tensor) for _, tensor, _ in own], weight_names=[name for name, _, _ in own],
        trainable=[spec.trainable and layer.trainable for _, _, spec in own],
    )  # fmt: skip
    tensors = [tensor for _, tensor, _ in own]
    for key, child in children_by_path(layer):
        if id(child) in seen:  # a shared layer is saved where it is met first
            continue
        subtree, inner = weight_tree(child, f"{path}/{key}" if path else key, seen)
        node.children.append(subtree)
        tensors.extend(inner)
    return node, tensors


def children_by_path(layer: Any) -> list[tuple[str, Any]]:
    """The layers directly inside, under the keys that Keras 3's files give them."""
    if hasattr(layer, "_stack") or hasattr(layer, "_graph"):
        layers = layer.layers
        return [(f"layers/{key}", child) for key, child in zip(structural_keys(_classes(layers)), layers, strict=True)]
    found: list[tuple[str, Any]] = []
    in_lists: set[int] = set()
    for name, value in vars(layer).items():
        if isinstance(value, TrackedList):
            members = [item for item in value if isinstance(item, Layer)]
            in_lists.update(id(item) for item in members)
            keys = structural_keys(_classes(members))
            found.extend((f"{name}/{key}", item) for key, item in zip(keys, members, strict=True))
    for name, child in layer._modules.items():
        if isinstance(child, Layer) and id(child) not in in_lists:
            found.append((name, child))
        elif isinstance(child, nn.ModuleList):
            members = [item for item in child if isinstance(item, Layer)]
            keys = structural_keys(_classes(members))
            found.extend((f"{name}/{key}", item) for key, item in zip(keys, members, strict=True))
    return found


def _classes(layers: Any) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
