"""Models: `Sequential`, functional `Model`, subclasses; loading, cloning, JSON. Keras: `keras.models`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from scene_lightning._registry import custom_object_scope, naming_unknown_words
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.models.functional import Functional
from scene_lightning.models.loading import load_model
from scene_lightning.models.model import Model
from scene_lightning.models.sequential import Sequential
from scene_lightning.models.serialization import (
    graph_config,
    layer_config,
    layer_from_config,
    own_classes,
    register_model_class,
    restore_graph,
)
from scene_lightning.saving import normalize_model_config

register_model_class(Sequential, "Sequential")

__all__ = [
    "Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json",
    "save_model",
]  # fmt: skip


def save_model(model: Any, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """Write a model into a file: `model.save(filepath)`. Keras: `keras.models.save_model`.

    Args:
        model: the model.
        filepath: where to write; the ending says the format, as for `Model.save`.
        overwrite: False refuses to replace a file.
        **kwargs: further arguments of `Model.save`.
    """
    model.save(filepath, overwrite=overwrite, **kwargs)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """Make a model, without weights, from the text of `model.to_json()`. Keras: `keras.models.model_from_json`.

    Args:
        json_string: the text, of any Keras.
        custom_objects: your own classes and functions by name.

    Raises:
        InputError: it is not JSON, or describes no model.
    """
    try:
        config = json.loads(json_string)
    except ValueError as error:
        raise InputError(f"This is not JSON: {error}. Expected what model.to_json() returns.") from error
    return model_from_config(config, custom_objects)


def model_from_config(config: Any, custom_objects: Any = None) -> Any:
    """Make a model, without weights, from its config dict.

    Args:
        config: `{"class_name": …, "config": …}`, as any Keras wrote it.
        custom_objects: your own classes and functions by name.

    Raises:
        InputError: it describes no model.
    """
    return layer_from_config(normalize_model_config(config), custom_objects)


@naming_unknown_words
def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Any = None,
    recursive: bool = False,
) -> Any:
    """Make the same architecture again, with fresh weights. Keras: `keras.models.clone_model`.

    Args:
        model: the model.
        input_tensors: symbolic tensors to build on; the copy's output on them is returned instead of the copy.
        clone_function: called with each layer; gives the layer to take in its place. None copies it by its config.
        call_function: must be None.
        recursive: whether models inside are cloned by `clone_function`, too; not supported together with it.

    Returns:
        The new model.

    Raises:
        UnsupportedError: `call_function`, or `recursive` with a `clone_function`.
        InputError: a `clone_function` for a subclassed model.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> keras.models.clone_model(model).count_params()
        10
    """
    if call_function is not None or (recursive and clone_function is not None):
        raise UnsupportedError(
            "clone_model(call_function=, recursive=True) is not supported: clone the models inside one by one, with "
            "clone_function."
        )
    if input_tensors is not None:
        return clone_model(model, clone_function=clone_function)(input_tensors)
    if clone_function is None:
        with custom_object_scope(own_classes(model)):
            return layer_from_config(layer_config(model))
    if isinstance(model, Sequential):
        clone = Sequential(name=model.name)
        if model._input_layer is not None:
            clone.add(layer_from_config(layer_config(model._input_layer)))
        for layer in model.layers:
            clone.add(clone_function(layer))
        return clone
    if not isinstance(model, Functional):
        raise InputError("clone_function needs a Sequential or functional model.")
    originals = {layer.name: layer for layer in model._operations}

    def make_layer(entry: Any) -> Any:
        layer = originals[entry["name"]]
        return layer_from_config(entry) if type(layer).__name__ == "InputLayer" else clone_function(layer)

    inputs, outputs = restore_graph(graph_config(model), make_layer)
    return Functional(inputs=inputs, outputs=outputs, name=model.name)
