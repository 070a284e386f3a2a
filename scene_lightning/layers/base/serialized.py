"""Layers in; Keras 3's config dicts out, and back. The table of classes is the public `layers` namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scene_lightning import _registry
from scene_lightning.errors import InputError
from scene_lightning.layers.base.layer import Layer

# Class name → class, filled by `layers/__init__`: a wrapper must find the class of the layer within it.
TABLE: dict[str, Any] = {}


def serialize_layer(layer: Layer) -> dict[str, Any]:
    """A layer → {"module", "class_name", "config", "registered_name"}. Keras: `keras.layers.serialize`."""
    return _registry.serialize_object(layer, "layers")


def deserialize_layer(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The reverse of `serialize_layer`. Raises InputError for unknown classes."""
    with _registry.custom_object_scope(custom_objects):
        found = _registry.resolve(config, table=TABLE, kind="layer")
    if not isinstance(found, Layer):
        raise InputError(f"Expected a layer or its config; received {config!r}.")
    return found
