"""A model of the real Keras in; the tree of its weights, as this package's saving expects one from a model, out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import keras
import numpy as np

from scene_lightning.saving import (
    LayerWeights,
    ModelArchive,
    align,
    read_keras,
    read_legacy_h5,
    read_saved_model_dir,
    read_weights_h5,
    sniff,
    structural_keys,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "keras_files"
READERS = {
    "keras": read_keras,
    "weights_h5": read_weights_h5,
    "legacy_h5": read_legacy_h5,
    "saved_model": read_saved_model_dir,
}


def read_any(path: str | Path) -> ModelArchive:
    return READERS[sniff(path)](path)


def own_variables(layer: Any) -> list[Any]:
    both = [*layer._trainable_variables, *layer._non_trainable_variables]
    return [variable for variable in both if "seed" not in variable.path]


def tree_of(layer: Any, path: str = "") -> LayerWeights:
    variables = own_variables(layer)
    inner = layer.layers if isinstance(layer, keras.Model) else []
    keys = structural_keys(type(child).__name__ for child in inner)
    prefix = f"{path}/layers/" if path else "layers/"
    return LayerWeights(
        name=layer.name,
        path=path,
        arrays=[np.array(keras.ops.convert_to_numpy(variable)) for variable in variables],
        weight_names=[variable.name for variable in variables],
        trainable=[bool(variable.trainable) for variable in variables],
        children=[tree_of(child, prefix + key) for child, key in zip(inner, keys, strict=True)],
    )


def variables_of(layer: Any) -> list[Any]:
    inner = layer.layers if isinstance(layer, keras.Model) else []
    return own_variables(layer) + [variable for child in inner for variable in variables_of(child)]


def fill(model: Any, archive: ModelArchive) -> Any:
    for variable, array in zip(variables_of(model), align(tree_of(model), archive), strict=True):
        variable.assign(array)
    return model


def rebuilt(archive: ModelArchive) -> Any:
    """The real Keras' model for a read archive: its config deserialised by Keras, its arrays aligned by us."""
    assert archive.config is not None
    config = copy.deepcopy(archive.config)  # Keras takes the dicts apart
    return fill(keras.saving.deserialize_keras_object(config), archive)
