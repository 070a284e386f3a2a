"""Keras' losses (`keras.losses`), and how a name, config, class or function becomes one."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

from scene_lightning import _objectives
from scene_lightning._objectives import *
from scene_lightning._objectives.shapes import binary_or_sparse
from scene_lightning._registry import by_every_spelling, name_unknown_words_of, resolve, serialize_object
from scene_lightning.losses import base, crossentropy, distance, margin, structured
from scene_lightning.losses.base import *
from scene_lightning.losses.crossentropy import *
from scene_lightning.losses.distance import *
from scene_lightning.losses.margin import *
from scene_lightning.losses.structured import *

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
bce = BCE = binary_crossentropy
logcosh = log_cosh

_MODULES = (base, crossentropy, distance, margin, structured)
_CLASSES: list[type[Loss]] = [globals()[name] for module in _MODULES for name in module.__all__ if name != "Reduction"]
# functions win over snake-cased class names: Keras' get("mean_squared_error") is the function
_TABLE: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES} | {
    name: getattr(_objectives, name) for name in _objectives.__all__
}
_TABLE |= {
    "mse": mse, "MSE": mse, "mae": mae, "MAE": mae, "mape": mape, "MAPE": mape, "msle": msle, "MSLE": msle,
    "kld": kld, "KLD": kld, "bce": bce, "BCE": bce, "logcosh": logcosh, "kullback_leibler_divergence": kl_divergence,
    "huber_loss": huber, "cosine_proximity": cosine_similarity, "cosine": cosine_similarity,
    "m3ce_cec": m3ce_crossentropy,
}  # fmt: skip
_TABLE = by_every_spelling({cls.__name__: cls for cls in _CLASSES}) | _TABLE


def get(identifier: Any) -> Any:
    """Turn what `compile(loss=...)` accepts into a loss: by name, class, object, function or config.

    Args:
        identifier: a name such as "mse" or "MeanSquaredError", a class, an object, a function (y_true, y_pred), a
            config dict, or None.

    Returns:
        A `Loss`, a function (y_true, y_pred), or None for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    if inspect.isfunction(identifier):
        return identifier
    return resolve(identifier, table=_TABLE, kind="loss")


def get_for(identifier: Any, y_true: Tensor, y_pred: Tensor) -> Loss | None:
    """What `compile(loss=identifier)` means for this output: always a `Loss`, named as logs name it.

    'crossentropy' and 'ce' choose binary, sparse or categorical by the shapes, as Keras 3 does.

    Args:
        identifier: what `compile(loss=)` was given for this output.
        y_true: a batch of targets.
        y_pred: a batch of outputs.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        is_binary, is_sparse = binary_or_sparse(y_true.shape, y_pred.shape)
        several = sparse_categorical_crossentropy if is_sparse else categorical_crossentropy
        loss: Any = binary_crossentropy if is_binary else several
    else:
        loss = get(identifier)
    if isinstance(loss, Loss):
        return loss
    name = identifier if isinstance(identifier, str) else getattr(loss, "__name__", type(loss).__name__)
    return LossFunctionWrapper(loss, name=name)


def serialize(loss: Any) -> Any:
    """Describe a loss as Keras' files do.

    Args:
        loss: a `Loss` or a function.

    Returns:
        A dict with "class_name" and "config"; the name, for a function.
    """
    return serialize_object(loss, "losses")


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make a loss from what `serialize` returned.

    Args:
        name: config dict or name.
        custom_objects: further classes and functions by the name that the config gives them.

    Returns:
        A `Loss` or a function.
    """
    return resolve(name, table={**_TABLE, **(custom_objects or {})}, kind="loss")


__all__ = [
    "BCE", "KLD", "MAE", "MAPE", "MSE", "MSLE", "bce", "deserialize", "get", "kld", "kullback_leibler_divergence",
    "logcosh", "mae", "mape", "mse", "msle", "serialize",
]  # fmt: skip
__all__ += (
    _objectives.__all__ + base.__all__ + crossentropy.__all__ + distance.__all__ + margin.__all__ + structured.__all__
)

name_unknown_words_of(globals()[name] for name in __all__)
