"""Keras' `backend` module: settings, value helpers and, on demand, the functions of tensors. Keras: `keras.backend`."""

from __future__ import annotations

import sys
from typing import Any

from scene_lightning._unsupported import lookup
from scene_lightning.backend._settings import (
    backend,
    batch_get_value,
    batch_set_value,
    cast_to_floatx,
    clear_session,
    count_params,
    epsilon,
    eval,
    floatx,
    get_uid,
    get_value,
    image_data_format,
    image_dim_ordering,
    int_shape,
    is_float_dtype,
    is_int_dtype,
    learning_phase,
    ndim,
    reset_uids,
    result_type,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_image_dim_ordering,
    set_learning_phase,
    set_value,
    standardize_dtype,
)
from scene_lightning.backend._settings import (
    forced_learning_phase as forced_learning_phase,
)
from scene_lightning.backend._settings import (
    torch_dtype as torch_dtype,
)

__all__ = [
    "backend", "batch_get_value", "batch_set_value", "cast_to_floatx", "clear_session", "count_params", "epsilon",
    "eval", "floatx", "get_uid", "get_value", "image_data_format", "image_dim_ordering", "int_shape",
    "is_float_dtype", "is_int_dtype", "learning_phase", "ndim", "reset_uids", "result_type", "set_epsilon",
    "set_floatx", "set_image_data_format", "set_image_dim_ordering", "set_learning_phase", "set_value",
    "standardize_dtype",
]  # fmt: skip
# Functions of tensors, which need layers and models: they are imported from there when one is asked for, since every
# part of this package imports this module.
_FUNCTIONS = [
    "abs", "all", "any", "arange", "argmax", "argmin", "batch_dot", "batch_flatten", "bias_add",
    "binary_crossentropy", "cast", "categorical_crossentropy", "clip", "concatenate", "constant", "conv2d", "cos",
    "cumprod", "cumsum", "dot", "dropout", "dtype", "elu", "equal", "exp", "expand_dims", "eye", "flatten",
    "gather", "get_session", "greater", "greater_equal", "hard_sigmoid", "in_test_phase", "in_top_k",
    "in_train_phase", "is_keras_tensor", "is_sparse", "l2_normalize", "less", "less_equal", "log", "logsumexp",
    "manual_variable_initialization", "max", "maximum", "mean", "min", "minimum", "moving_average_update",
    "not_equal", "one_hot", "ones", "ones_like", "permute_dimensions", "pool2d", "pow", "print_tensor", "prod",
    "random_bernoulli", "random_binomial", "random_normal", "random_uniform", "relu", "repeat", "repeat_elements",
    "reshape", "resize_images", "reverse", "round", "set_session", "shape", "sigmoid", "sign", "sin", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "spatial_2d_padding", "sqrt", "square", "squeeze",
    "stack", "std", "stop_gradient", "sum", "switch", "tanh", "tile", "transpose", "truncated_normal", "update",
    "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip
_GRAPH = ["function", "gradients"]
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
__all__ += [*_FUNCTIONS, *_GRAPH]
_ELSEWHERE = {
    **dict.fromkeys(_FUNCTIONS, "scene_lightning.backend.functions"),
    **dict.fromkeys(_GRAPH, "scene_lightning.backend.graph"),
}
_find = lookup(__name__, __all__, _INSTEAD, _ELSEWHERE)


def __getattr__(name: str) -> Any:
    return sys.modules[__name__] if name == "tensorflow_backend" else _find(name)  # Keras 1's second name for it
