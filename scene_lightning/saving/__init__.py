"""Reads and writes model files as dicts and arrays; no model, layer or device is known here. Keras: `keras.saving`."""

from __future__ import annotations

from scene_lightning._registry import custom_object_scope, get_custom_objects, register_keras_serializable
from scene_lightning._registry import registered_name as get_registered_name
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.saving.align import align
from scene_lightning.saving.archive import LayerWeights, ModelArchive, OptimizerState, check_image_info, structural_keys
from scene_lightning.saving.keras_zip import read_keras, read_weights_h5, write_keras, write_weights_h5
from scene_lightning.saving.legacy_h5 import read_legacy_h5, write_keras2_h5, write_legacy_h5
from scene_lightning.saving.normalize import (
    normalize_compile_config,
    normalize_model_config,
    portable_config,
    refuse_unsafe,
)
from scene_lightning.saving.saved_model import read_saved_model_dir, read_tf_checkpoint
from scene_lightning.saving.sniff import sniff
from scene_lightning.saving.tensors_file import read_tensors, write_tensors

CustomObjectScope = custom_object_scope
# Keras' `keras.saving` has functions of models beside this package's files. Models and utilities import this package,
# so these names are looked up there when they are asked for; neither side needs the other to be imported.
_ELSEWHERE = {
    **dict.fromkeys(("load_model", "save_model"), "scene_lightning.models"),
    **dict.fromkeys(("load_weights", "save_weights"), "scene_lightning.utils.serialization"),
    **dict.fromkeys(
        ("deserialize_keras_object", "get_registered_object", "serialize_keras_object"), "scene_lightning.utils"
    ),
}

__all__ = [
    "CustomObjectScope", "LayerWeights", "ModelArchive", "OptimizerState", "align", "check_image_info",
    "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name",
    "get_registered_object", "load_model", "load_weights", "normalize_compile_config", "normalize_model_config",
    "portable_config", "read_keras", "read_legacy_h5", "read_saved_model_dir", "read_tensors", "read_tf_checkpoint",
    "read_weights_h5", "refuse_unsafe", "register_keras_serializable", "save_model", "save_weights",
    "serialize_keras_object", "sniff", "structural_keys", "write_keras", "write_keras2_h5", "write_legacy_h5",
    "write_tensors", "write_weights_h5",
]  # fmt: skip

explain_missing_names(__name__, __all__, _ELSEWHERE)
