"""Turns layers, losses, optimizers, … into Keras 3's config dicts, and makes them again."""

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
    """Describe an object as a dict of plain values. Keras: `saving.serialize_keras_object`.

    Args:
        obj: a layer, model, loss, metric, optimizer, initializer, …, a function, an array, or lists and dicts of these.

    Returns:
        A dict that JSON can hold (`module`, `class_name`, `config`, `registered_name`); plain values stay as they are.

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
    """Make an object from the dict of `serialize_keras_object`. Keras: `saving.deserialize_keras_object`.

    Args:
        config: the dict; lists and dicts of such are gone through.
        custom_objects: your own classes and functions by name; `register_keras_serializable` makes them known, too.
        safe_mode: without effect: code in a config is never run.
        module_objects: without effect.
        printable_module_name: without effect.

    Raises:
        InputError: a name that is not known here.
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
        custom = get_custom_objects().get(str(name))
        if custom is not None and (class_name == "function" or not isinstance(custom, type)):
            return custom
        if custom is not None:
            arguments = dict(inner or {})
            return custom.from_config(arguments) if hasattr(custom, "from_config") else custom(**arguments)
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
    """Load weights from a file into a model: `model.load_weights(filepath)`. Keras: `saving.load_weights`.

    Args:
        model: the model.
        filepath: any model or weights file.
        skip_mismatch: leave layers whose weights do not fit, with a warning, instead of failing.
        **kwargs: further arguments of `Model.load_weights`.

    Raises:
        FileFormatError: the file's weights do not fit.
    """
    model.load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """Write a model's weights to a file: `model.save_weights(filepath)`. Keras: `saving.save_weights`.

    Args:
        model: the model.
        filepath: where to write; `.weights.h5` in Keras 3.
        overwrite: False refuses to replace a file.
        **kwargs: further arguments of `Model.save_weights`.
    """
    model.save_weights(filepath, overwrite=overwrite, **kwargs)
