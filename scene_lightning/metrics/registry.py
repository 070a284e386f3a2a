"""Turns a metric's name, config, class or function into a metric."""

from __future__ import annotations

import inspect
from typing import Any

from scene_lightning import _objectives
from scene_lightning._registry import by_every_spelling, resolve, serialize_object
from scene_lightning.metrics import auc, base, classification, confusion, iou, scores, wrappers

_MODULES = (base, classification, wrappers, confusion, auc, scores, iou)
CLASSES: dict[str, type[base.Metric]] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if inspect.isclass(value) and issubclass(value, base.Metric) and not name.startswith("_")
}
_SHORT = {
    "bce": "BinaryCrossentropy",
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "kld": "KLDivergence",
    "rmse": "RootMeanSquaredError",
}
_OLD = {
    "log_cosh": "LogCoshError",
    "logcosh": "LogCoshError",
    "acc": "Accuracy",
    "top_k_accuracy": "TopKCategoricalAccuracy",
    "cosine_proximity": "CosineSimilarity",
}
_ALIASES = _SHORT | {short.upper(): name for short, name in _SHORT.items()} | _OLD
_TABLE: dict[str, Any] = (
    by_every_spelling(CLASSES)
    | {alias: CLASSES[name] for alias, name in _ALIASES.items()}
    | {"huber": _objectives.huber}
)


def get(identifier: Any) -> Any:
    """Turn what `compile(metrics=[...])` accepts into a metric: by name, class, object, function or config.

    Args:
        identifier: a name such as "auc" or "MeanSquaredError", a class, an object, a function (y_true, y_pred), a
            config dict, or None.

    Returns:
        A `Metric`, a function (y_true, y_pred), or None for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    if inspect.isfunction(identifier):
        return identifier
    return resolve(identifier, table=_TABLE, kind="metric")


def serialize(metric: Any) -> Any:
    """Describe a metric as Keras' files do.

    Args:
        metric: a `Metric` or a function.

    Returns:
        A dict with "class_name" and "config"; the name, for a function.
    """
    return serialize_object(metric, "metrics")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make a metric from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict or name.
        custom_objects: further classes and functions by the name that the config gives them.

    Returns:
        A `Metric` or a function.
    """
    return resolve(config, table={**_TABLE, **(custom_objects or {})}, kind="metric")
