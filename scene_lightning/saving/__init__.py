"""Model files in, dicts and arrays out, and back. No model, layer or device is known here."""

from __future__ import annotations

from scene_lightning.saving.align import align
from scene_lightning.saving.archive import (
    LayerWeights,
    ModelArchive,
    OptimizerState,
    check_image_info,
    structural_keys,
)
from scene_lightning.saving.keras_zip import read_keras, read_weights_h5, write_keras, write_weights_h5
from scene_lightning.saving.legacy_h5 import read_legacy_h5, write_legacy_h5
from scene_lightning.saving.normalize import normalize_compile_config, normalize_model_config, refuse_unsafe
from scene_lightning.saving.saved_model import read_saved_model_dir
from scene_lightning.saving.sniff import sniff

__all__ = [
    "LayerWeights",
    "ModelArchive",
    "OptimizerState",
    "align",
    "check_image_info",
    "normalize_compile_config",
    "normalize_model_config",
    "read_keras",
    "read_legacy_h5",
    "read_saved_model_dir",
    "read_weights_h5",
    "refuse_unsafe",
    "sniff",
    "structural_keys",
    "write_keras",
    "write_legacy_h5",
    "write_weights_h5",
]
