"""A layer, loss, optimizer, … in; Keras 3's config dict out, and back. Keras: `saving.serialize_keras_object`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from scene_lightning import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from scene_lightning._registry import custom_object_scope, get_custom_objects, registered_name, serialize_object
from scene_lightning.errors import InputError
from scene_lightning.models import model_from_config
from scene_lightning.models.serialization import layer_config, layer_from_config
from scene_lightning.optimizers import schedules

_NAMESPACES: dict[str, Callable[[Any], Any]] = {
    "layers": layer_from_config,
    "models": model_from_config,
    "activations": activations.deserialize,
    "constraints": constraints.deserialize,
    "initializers": initializers.deserialize,
    "losses": losses.deserialize,
    "metrics": metrics.deserialize,
    "optimizers": optimizers.deserialize,
    "optimizers.schedules": schedules.deserialize,
    "regularizers": regularizers.deserialize,
}
_BASES: dict[type, str] = {
    initializers.Initializer: "initializers",
    losses.Loss: "losses",
    metrics.Metric: "metrics",
    optimizers.Optimizer: "optimizers",
    regularizers.Regularizer: "regularizers",
    constraints.Constraint: "constraints",
    schedules.LearningRateSchedule: "optimizers.schedules",
}


def serialize_keras_object(obj: Any) -> Any:
    """An object → a dict of plain values that `deserialize_keras_object` makes it from again.

    Raises:
        InputError: something without `get_config()`.
    """
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj
    if isinstance(obj, list | dict):
        return (
            [serialize_keras_object(x) for x in obj] if isinstance(obj, list) else _mapped(serialize_keras_object, obj)
        )
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "config": {"value": [serialize_keras_object(x) for x in obj]}}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, layers.Layer):
        return layer_config(obj)
    if isinstance(obj, FunctionType):
        known = hasattr(activations, obj.__name__) or hasattr(losses, obj.__name__)
        module = "builtins" if known else obj.__module__
        return {"module": module, "class_name": "function", "config": obj.__name__, "registered_name": _name(obj)}
    return serialize_object(obj, next((name for base, name in _BASES.items() if isinstance(obj, base)), "utils"))


def _name(function: Any) -> str:
    return registered_name(function) or function.__name__


def _mapped(function: Callable[[Any], Any], table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: function(value) for key, value in table.items()}


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    module_objects: Any = None,
    printable_module_name: str = "object",
) -> Any:
    """The reverse of `serialize_keras_object`; custom classes by `custom_objects` or `register_keras_serializable`.

    Raises:
        InputError: a dict without 'class_name', or a name that no namespace here has.
    """
    if isinstance(config, list):
        return [deserialize_keras_object(x, custom_objects) for x in config]
    if not isinstance(config, Mapping):
        return config
    class_name, inner = config.get("class_name"), config.get("config")
    if class_name is None:
        return {key: deserialize_keras_object(value, custom_objects) for key, value in config.items()}
    if class_name == "__tuple__" and isinstance(inner, Mapping):
        return tuple(deserialize_keras_object(x, custom_objects) for x in inner["value"])
    if class_name == "__numpy__" and isinstance(inner, Mapping):
        return np.array(inner["value"], dtype=inner["dtype"])
    with custom_object_scope(custom_objects):
        name = inner if class_name == "function" else config.get("registered_name") or class_name
        found = get_custom_objects().get(str(name))
        if found is not None and (class_name == "function" or not isinstance(found, type)):
            return found
        if found is not None:
            return found.from_config(dict(inner or {})) if hasattr(found, "from_config") else found(**dict(inner or {}))
        return _built_in(config)


def _built_in(config: Mapping[str, Any]) -> Any:
    module = str(config.get("module") or "").removeprefix("keras.").removeprefix("src.")
    parts = module.split(".")
    named = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    made_by = next((_NAMESPACES[name] for name in named if name in _NAMESPACES), None)
    if made_by is not None:
        return made_by(config)
    for attempt in (activations, losses, metrics, initializers, regularizers, constraints, optimizers):
        try:
            return attempt.deserialize(config)
        except InputError:
            continue
    return layer_from_config(config)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """`model.load_weights(filepath)`. Keras: `keras.saving.load_weights`."""
    model.load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """`model.save_weights(filepath)`. Keras: `keras.saving.save_weights`."""
    model.save_weights(filepath, overwrite=overwrite, **kwargs)
