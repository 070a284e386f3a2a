"""Layers as Keras 3's config dicts, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scene_lightning import _registry
from scene_lightning.errors import InputError
from scene_lightning.layers.base.layer import Layer

# Class name → class, filled by `layers/__init__`: a wrapper must find the class of the layer within it.
TABLE: dict[str, Any] = {}


def serialize_layer(layer: Layer) -> dict[str, Any]:
    """Write a layer as a dict that a file can hold.

    Args:
        layer: the layer.

    Returns:
        {"module", "class_name", "config", "registered_name"}, without weights.
    """
    return _registry.serialize_object(layer, "layers")


def deserialize_layer(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """Make the layer that a dict describes.

    Args:
        config: what `serialize` gave, here or in Keras.
        custom_objects: name → class or function, for those that are your own.

    Returns:
        The layer, without its weights.

    Raises:
        InputError: an unknown class, or something that describes no layer.
    """
    with _registry.custom_object_scope(custom_objects):
        layer = _registry.resolve(config, table=TABLE, kind="layer")
    if not isinstance(layer, Layer):
        raise InputError(f"Expected a layer or its config; received {config!r}.")
    return layer
