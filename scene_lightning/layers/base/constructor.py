"""The arguments that every layer takes, and the config that follows from what a constructor was given."""

from __future__ import annotations

import inspect
from typing import Any

OF_EVERY_LAYER = ("name", "trainable", "dtype", "input_shape", "batch_input_shape", "input_dim", "weights")
OF_ADD_WEIGHT = ("shape", "initializer", "dtype", "trainable", "regularizer", "constraint", "name")
OF_OTHER_BACKENDS = (
    "autocast", "aggregation", "synchronization", "overwrite_with_gradient", "use_resource", "partitioner", "getter",
    "collections", "experimental_autocast", "caching_device", "layout", "init", "sparse",
)  # fmt: skip


def declared_input_shape(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """The shape that the old `input_shape=`, `batch_input_shape=` or `input_dim=` gives; they leave `kwargs`.

    Args:
        kwargs: keyword arguments of a layer's constructor; changed in place.
    """
    shape = kwargs.pop("input_shape", None)
    batch_shape = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
    features = kwargs.pop("input_dim", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is not None:
        return (None, *((shape,) if isinstance(shape, int) else shape))
    return None if features is None else (None, features)


def signature_names(cls: type) -> list[str]:
    """The arguments that a class's constructor names."""
    names = [p.name for p in inspect.signature(cls.__init__).parameters.values() if p.kind != p.VAR_KEYWORD]  # type: ignore[misc]
    return [name for name in names if name not in ("self", "args")]


def bound_arguments(layer: Any) -> dict[str, Any]:
    """What the layer's constructor was given, by name: the config of a class without a `get_config` of its own.

    Args:
        layer: the layer, constructed.
    """
    args, kwargs = layer._constructor_arguments
    try:
        bound = inspect.signature(type(layer).__init__).bind(layer, *args, **kwargs).arguments  # type: ignore[misc]
    except TypeError:
        return {}
    bound.pop("self", None)
    extra = bound.pop("kwargs", {})
    return {**bound, **extra}
