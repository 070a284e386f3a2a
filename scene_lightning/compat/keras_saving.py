"""The names of `keras.saving`: models and custom objects."""

from typing import Any

from scene_lightning.models import load_model, save_model
from scene_lightning.utils import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **_: Any) -> None:
    """`model.load_weights(filepath)`."""
    model.load_weights(filepath, skip_mismatch=skip_mismatch)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, **_: Any) -> None:
    """`model.save_weights(filepath)`."""
    model.save_weights(filepath, overwrite=overwrite)


__all__ = [
    "CustomObjectScope", "custom_object_scope", "get_custom_objects", "get_registered_name", "get_registered_object",
    "load_model", "load_weights", "register_keras_serializable", "save_model", "save_weights",
]  # fmt: skip
