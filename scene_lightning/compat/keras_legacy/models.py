"""Builds a model from YAML. Keras 2: `keras.models.model_from_yaml`."""

from __future__ import annotations

from typing import Any

import yaml

from scene_lightning.errors import InputError
from scene_lightning.models import model_from_config


def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Any:
    """Build the architecture that `model.to_yaml()` wrote; plain data alone is read, no tags of Python's.

    Args:
        yaml_string: the text.
        custom_objects: name → class or function, for what is not Keras' own.

    Raises:
        InputError: no YAML, or not a model's.
    """
    try:
        config = yaml.safe_load(yaml_string)
    except yaml.YAMLError as error:
        raise InputError(f"This is not YAML: {error}. Expected what model.to_yaml() returns.") from error
    return model_from_config(config, custom_objects)


__all__ = ["model_from_yaml"]
