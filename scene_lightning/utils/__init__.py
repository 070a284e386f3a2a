"""Utilities around models and data. Keras: `keras.utils`."""

from __future__ import annotations

from typing import Any

from scene_lightning._registry import (
    custom_object_scope,
    get_custom_objects,
    register_keras_serializable,
    registered_name,
)
from scene_lightning._settings import clear_session, standardize_dtype
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.callbacks.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from scene_lightning.callbacks.progress import Progbar
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.preprocessing.image import array_to_img, img_to_array, load_img, save_img
from scene_lightning.utils.dataset import Dataset
from scene_lightning.utils.files import get_file
from scene_lightning.utils.image_dataset import image_dataset_from_directory
from scene_lightning.utils.numerical import normalize, pack_x_y_sample_weight, set_random_seed, to_categorical
from scene_lightning.utils.py_dataset import PyDataset, Sequence
from scene_lightning.utils.serialization import deserialize_keras_object, serialize_keras_object
from scene_lightning.utils.split import split_dataset
from scene_lightning.utils.visualization import model_to_dot, plot_model

CustomObjectScope = custom_object_scope
get_registered_name = registered_name


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """The class or function that is registered under a name. Keras: `keras.saving.get_registered_object`.

    Args:
        name: such as "my_package>Doubled".
        custom_objects: a table that is looked in first.
        module_objects: a table that is looked in last.

    Returns:
        The class or function; None where there is none.
    """
    for table in (custom_objects, get_custom_objects(), module_objects):
        if table and name in table:
            return table[name]
    return None


def unpack_x_y_sample_weight(data: Any) -> Any:
    """Take one batch of data apart, as a `train_step` of your own does first. Keras: `utils.unpack_x_y_sample_weight`.

    Args:
        data: inputs alone, or a tuple or list of (x,), (x, y) or (x, y, sample_weight).

    Returns:
        (x, y, sample_weight), with None for what is not there.
    """
    return unpack_batch(data)


def is_keras_tensor(x: Any) -> bool:
    """Whether a value is a symbolic tensor, as `keras.Input` gives. Keras: `utils.is_keras_tensor`.

    Args:
        x: any value.
    """
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The symbolic inputs that a symbolic tensor is computed from. Keras: `utils.get_source_inputs`.

    Args:
        tensor: the symbolic tensor.
    """
    inputs: list[KerasTensor] = []
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        history = current._keras_history
        parents = history.layer._inbound_nodes[history.node_index].input_tensors if history is not None else []
        if not parents and all(current is not known for known in inputs):
            inputs.append(current)
        waiting.extend(reversed(parents))
    return inputs


__all__ = [
    "CustomObjectScope", "Dataset", "Progbar", "PyDataset", "Sequence", "array_to_img", "clear_session",
    "custom_object_scope", "deserialize_keras_object", "disable_interactive_logging", "enable_interactive_logging",
    "get_custom_objects", "get_file", "get_registered_name", "get_registered_object", "get_source_inputs",
    "image_dataset_from_directory", "img_to_array", "is_interactive_logging_enabled", "is_keras_tensor", "load_img",
    "model_to_dot", "normalize", "pack_x_y_sample_weight", "plot_model", "register_keras_serializable", "save_img",
    "serialize_keras_object", "set_random_seed", "split_dataset", "standardize_dtype", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip

explain_missing_names(__name__, __all__)
