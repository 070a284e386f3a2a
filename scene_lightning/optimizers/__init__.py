"""An optimizer's name, config, class or object in; an optimizer out. Keras: `keras.optimizers`."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

from scene_lightning._registry import resolve, serialize_object
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.optimizers import schedules
from scene_lightning.optimizers.adapter import KerasOptimizer
from scene_lightning.optimizers.adaptive import Adam, Adamax, AdamW, Lamb, Lion, Nadam, ScheduleFreeAdamW
from scene_lightning.optimizers.base import Optimizer
from scene_lightning.optimizers.gradient import SGD, Adadelta, Adagrad, Ftrl, RMSprop
from scene_lightning.optimizers.matrix import Adafactor, Muon
from scene_lightning.optimizers.torch_optimizer import TorchOptimizer, from_torch
from scene_lightning.optimizers.variable import ScalarVariable


class LossScaleOptimizer:
    """The optimizer it is given: `fit` scales the loss itself under "mixed_float16" (Lightning's GradScaler).

    Keras: `keras.optimizers.LossScaleOptimizer`. The scaling options have no use here and are named in a warning.
    """

    def __new__(cls, inner_optimizer: Any = None, *args: Any, **kwargs: Any) -> Any:
        inner = kwargs.pop("optimizer", inner_optimizer)
        if inner is None:
            raise InputError("LossScaleOptimizer needs the optimizer to wrap, e.g. LossScaleOptimizer(Adam()).")
        unused = sorted(set(kwargs) - {"name"})
        warnings.warn(
            "LossScaleOptimizer gives back the optimizer it wraps: under mixed_float16 fit() scales the loss itself"
            + (f", and chooses {', '.join(unused)} itself." if unused or args else "."),
            stacklevel=2,
        )
        return inner


class MultiOptimizer:
    """Not here: one model, one optimizer."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise UnsupportedError(
            "MultiOptimizer: give the model to a Lightning Trainer with a configure_optimizers() of your own."
        )


OptimizerMap = MultiOptimizer

_CLASSES: tuple[type[Optimizer], ...] = (
    SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Adafactor, Nadam, Ftrl, Lion, Lamb, Muon, ScheduleFreeAdamW,
)  # fmt: skip
_TABLE: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES} | {cls.__name__.lower(): cls for cls in _CLASSES}

# Keras 1 and 2 had lower-case spellings of the classes, and the old ones under `legacy` and `experimental`
sgd, rmsprop, adam, adamw, adadelta, adagrad, adamax, adafactor, nadam, ftrl, lion, lamb, muon = _CLASSES[:13]
legacy = SimpleNamespace(
    Optimizer=Optimizer, **{cls.__name__: cls for cls in (SGD, RMSprop, Adam, Adadelta, Adagrad, Adamax, Nadam, Ftrl)}
)
experimental = SimpleNamespace(Optimizer=Optimizer, **{cls.__name__: cls for cls in _CLASSES})


def get(identifier: Any) -> Any:
    """A name (any case), a class, an object or a config dict → an `Optimizer`; None → None.

    Of torch a class, a partial, a factory or an instance (see `torch_optimizer`).

    Raises:
        InputError: an unknown name (the nearest one is suggested), or something else.
    """
    if isinstance(identifier, KerasOptimizer):
        return identifier.keras
    if isinstance(identifier, Optimizer | TorchOptimizer):
        return identifier
    if (of_torch := from_torch(identifier)) is not None:
        return of_torch
    if isinstance(identifier, str) and identifier not in _TABLE:
        identifier = identifier.lower() if identifier.lower() in _TABLE else identifier
    found = resolve(identifier, table=_TABLE, kind="optimizer")
    if found is not None and not isinstance(found, Optimizer):
        raise InputError(f"Could not interpret optimizer identifier: {identifier!r}.")
    return found


def serialize(optimizer: Any) -> Any:
    """Keras' config dict of an optimizer."""
    return serialize_object(optimizer, "optimizers")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The reverse of `serialize`; also Keras 2's dicts (`Custom>Adam`, `decay`, `lr`)."""
    table = {**_TABLE, "TorchOptimizer": TorchOptimizer, **(custom_objects or {})}
    return resolve(config, table=table, kind="optimizer")


__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "KerasOptimizer", "Lamb", "Lion",
    "LossScaleOptimizer", "MultiOptimizer", "Muon", "Nadam", "Optimizer", "OptimizerMap", "RMSprop", "ScalarVariable",
    "ScheduleFreeAdamW", "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "deserialize", "experimental",
    "ftrl", "get", "lamb", "legacy", "lion", "muon", "nadam", "rmsprop", "schedules", "serialize", "sgd",
]  # fmt: skip
