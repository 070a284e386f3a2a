"""Lays a model's weights out as the tree of arrays that Keras' files hold, and fills them from such a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.tracking import TrackedList
from scene_lightning.saving import LayerWeights, ModelArchive, align, structural_keys


def weight_tree(layer: Any, path: str = "", seen: set[int] | None = None) -> tuple[LayerWeights, list[torch.Tensor]]:
    """A model's tree of arrays, and the tensors themselves in the tree's own order.

    Args:
        layer: a model or layer.
        path: its place in the tree; "" for the root.
        seen: ids of layers met before, for the recursion.
    """
    seen = set() if seen is None else seen
    seen.add(id(layer))
    own = [(name, getattr(layer, name), spec) for name, spec in layer._weight_specs.items()]
    own.sort(key=lambda item: not item[2].trainable)  # Keras: trainable ones first; sort() keeps the rest in order
    node = LayerWeights(
        name=layer.name, path=path,
        arrays=[tensor.detach().cpu().numpy() for _, tensor, _ in own], weight_names=[name for name, _, _ in own],
        trainable=[spec.trainable and layer.trainable for _, _, spec in own],
    )  # fmt: skip
    tensors = [tensor for _, tensor, _ in own]
    for key, child in _children_by_path(layer):
        if id(child) in seen:  # a shared layer is saved where it is met first
            continue
        subtree, inner = weight_tree(child, f"{path}/{key}" if path else key, seen)
        node.children.append(subtree)
        tensors.extend(inner)
    return node, tensors


def _children_by_path(layer: Any) -> list[tuple[str, Any]]:
    """The layers directly inside, under the keys that Keras 3's files give them."""
    if hasattr(layer, "_stack") or hasattr(layer, "_graph"):
        return _listed("layers", layer.layers)
    children: list[tuple[str, Any]] = []
    for name, value in vars(layer).items():
        if isinstance(value, TrackedList):
            children += _listed(name, value)
    in_lists = {id(child) for _, child in children}
    for name, child in layer._modules.items():
        if isinstance(child, Layer) and id(child) not in in_lists:
            children.append((name, child))
        elif isinstance(child, nn.ModuleList):
            children += _listed(name, child)
    return children


def _listed(name: str, items: Iterable[Any]) -> list[tuple[str, Any]]:
    layers = [item for item in items if isinstance(item, Layer)]
    keys = structural_keys(type(layer).__name__ for layer in layers)
    return [(f"{name}/{key}", layer) for key, layer in zip(keys, layers, strict=True)]


def fill(model: Any, archive: ModelArchive, path: str, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Copy a file's arrays into the model's weights: all of them or, where they do not fit, none.

    Args:
        model: the model.
        archive: what the file holds.
        path: the file, for messages.
        by_name, skip_mismatch: as in `load_weights`; what is left as it is gets a warning.

    Raises:
        FileFormatError: they do not fit. InputError: `by_name`, of a file that has no names.
    """
    tree, tensors = weight_tree(model)
    arrays = align(tree, archive, by_name=by_name, skip_mismatch=skip_mismatch)
    if by_name and all(array is None for array in arrays):
        names = ", ".join(child.name for child in archive.weights.children[:8])
        warnings.warn(
            f"{path!r}: by_name=True loaded nothing: no layer of the model is called as one of the file's ({names}).",
            stacklevel=3,
        )
    elif skip_mismatch and any(array is None for array in arrays):
        skipped = [tuple(t.shape) for t, array in zip(tensors, arrays, strict=True) if array is None]
        warnings.warn(f"{path!r}: weights that do not fit were left as they are, of shapes {skipped}.", stacklevel=3)
    with torch.no_grad():
        for tensor, array in zip(tensors, arrays, strict=True):
            if array is not None:
                native = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
                tensor.copy_(torch.as_tensor(native))
