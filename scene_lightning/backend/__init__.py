"""Keras 2's module of settings and functions of tensors, often imported as `K`. Keras: `keras.backend`."""

from __future__ import annotations

import sys
from typing import Any

from scene_lightning import _settings
from scene_lightning._settings import *
from scene_lightning._unsupported import lookup
from scene_lightning.backend import functions, graph, shapes, variables
from scene_lightning.backend.functions import *
from scene_lightning.backend.graph import *
from scene_lightning.backend.shapes import *
from scene_lightning.backend.variables import *

__all__ = [*_settings.__all__, *functions.__all__, *graph.__all__, *shapes.__all__, *variables.__all__]
_INSTEAD = {
    "Write the step in a Layer's call(), or with torch": (
        "batch_normalization binary_focal_crossentropy categorical_focal_crossentropy conv1d conv2d_transpose conv3d "
        "depthwise_conv2d foldl foldr local_conv1d local_conv2d map_fn normalize_batch_in_training pool3d "
        "random_normal_variable random_uniform_variable resize_volumes rnn separable_conv2d spatial_3d_padding "
        "temporal_padding to_dense"
    ),
    "There are no graphs to name or to feed: use keras.Input and call layers": (
        "placeholder name_scope learning_phase_scope experimental"
    ),
    "Use keras.losses.CTC": "ctc_batch_cost ctc_decode ctc_label_dense_to_sparse",
}
_find = lookup(__name__, __all__, _INSTEAD)


def __getattr__(name: str) -> Any:
    return sys.modules[__name__] if name == "tensorflow_backend" else _find(name)  # Keras 1's second name for it
