"""Keras' optimizers (`keras.optimizers`), and how a name, config, class or torch's object becomes one."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

from scene_lightning._registry import resolve, serialize_object
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.errors import InputError
from scene_lightning.optimizers import schedules
from scene_lightning.optimizers.adapter import KerasOptimizer
from scene_lightning.optimizers.adaptive import Adam, Adamax, AdamW, Lamb, Lion, Nadam, ScheduleFreeAdamW
from scene_lightning.optimizers.base import Optimizer
from scene_lightning.optimizers.gradient import SGD, Adadelta, Adagrad, Ftrl, RMSprop
from scene_lightning.optimizers.matrix import Adafactor, Muon
from scene_lightning.optimizers.torch_optimizer import TorchOptimizer, from_torch
from scene_lightning.optimizers.variable import ScalarVariable


class LossScaleOptimizer:
    """Return the optimizer that it is given: under "mixed_float16" `fit` scales the loss by itself.

    Keras: `keras.optimizers.LossScaleOptimizer`. The scaling options have no use here and are named in a warning.

    Args:
        inner_optimizer: the optimizer to wrap.
        *args: Keras' initial_scale and dynamic_growth_steps, without effect.
        **kwargs: the same by name; `optimizer` is Keras 2's name of inner_optimizer.

    Raises:
        InputError: no optimizer was given.
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
    """Turn what `compile(optimizer=...)` accepts into an optimizer.

    Args:
        identifier: a name in any case ("adam"), a class, an object, a config dict, or None; of torch a class, a
            partial, a factory or an instance.

    Returns:
        An `Optimizer` (for torch's a `TorchOptimizer`), or None for None.

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
    optimizer = resolve(identifier, table=_TABLE, kind="optimizer")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise InputError(f"Could not interpret optimizer identifier: {identifier!r}.")
    return optimizer


def serialize(optimizer: Any) -> Any:
    """Describe an optimizer as Keras' files do.

    Args:
        optimizer: an `Optimizer`.

    Returns:
        A dict with "class_name" and "config".
    """
    return serialize_object(optimizer, "optimizers")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make an optimizer from what `serialize` returned, or from a config of Keras 2 or 3.

    Args:
        config: config dict or name; also Keras 2's dicts (`Custom>Adam`, `decay`, `lr`).
        custom_objects: further classes and functions by the name that the config gives them.

    Returns:
        An `Optimizer`.
    """
    table = {**_TABLE, "TorchOptimizer": TorchOptimizer, **(custom_objects or {})}
    return resolve(config, table=table, kind="optimizer")


__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "KerasOptimizer", "Lamb", "Lion",
    "LossScaleOptimizer", "Muon", "Nadam", "Optimizer", "RMSprop", "ScalarVariable",
    "ScheduleFreeAdamW", "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "deserialize", "experimental",
    "ftrl", "get", "lamb", "legacy", "lion", "muon", "nadam", "rmsprop", "schedules", "serialize", "sgd",
]  # fmt: skip

explain_missing_names(__name__, __all__)
