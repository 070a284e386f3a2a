"""A metric's name, config, class or function in; a metric or a function (y_true, y_pred) out."""

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
_TABLE: dict[str, Any] = by_every_spelling(CLASSES) | {
    "bce": CLASSES["BinaryCrossentropy"],
    "BCE": CLASSES["BinaryCrossentropy"],
    "mse": CLASSES["MeanSquaredError"],
    "MSE": CLASSES["MeanSquaredError"],
    "mae": CLASSES["MeanAbsoluteError"],
    "MAE": CLASSES["MeanAbsoluteError"],
    "mape": CLASSES["MeanAbsolutePercentageError"],
    "MAPE": CLASSES["MeanAbsolutePercentageError"],
    "msle": CLASSES["MeanSquaredLogarithmicError"],
    "MSLE": CLASSES["MeanSquaredLogarithmicError"],
    "kld": CLASSES["KLDivergence"],
    "KLD": CLASSES["KLDivergence"],
    "rmse": CLASSES["RootMeanSquaredError"],
    "RMSE": CLASSES["RootMeanSquaredError"],
    "log_cosh": CLASSES["LogCoshError"],
    "logcosh": CLASSES["LogCoshError"],
    "acc": CLASSES["Accuracy"],
    "top_k_accuracy": CLASSES["TopKCategoricalAccuracy"],
    "huber": _objectives.huber,
    "cosine_proximity": CLASSES["CosineSimilarity"],
}


def get(identifier: Any) -> Any:
    """A name, class, object, function or config dict → a `Metric` or a function; None → None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    if inspect.isfunction(identifier):
        return identifier
    return resolve(identifier, table=_TABLE, kind="metric")


def serialize(metric: Any) -> Any:
    """Keras' config dict of a metric; the name of a function."""
    return serialize_object(metric, "metrics")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The reverse of `serialize`; Keras' `dtype` entries are taken."""
    return resolve(config, table={**_TABLE, **(custom_objects or {})}, kind="metric")
