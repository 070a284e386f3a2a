"""Lists the optimizers, losses, metrics and architectures that a recipe may name, and their arguments.

Optimisers, losses and metrics are known here by name only: this module must not import torch, so that a recipe is
checked before anything slow starts; a test holds the names to Keras.
"""

from __future__ import annotations

from typing import Any

from scene_lightning._registry import did_you_mean
from scene_lightning.recipes.values import is_number

# name → Keras' default learning rate
OPTIMIZERS = {
    "adam": 0.001, "adamw": 0.001, "adamax": 0.001, "nadam": 0.001, "sgd": 0.01, "rmsprop": 0.001, "adagrad": 0.001,
    "adadelta": 0.001, "lion": 0.001,
}  # fmt: skip
_MOMENTS = ("beta_1", "beta_2", "epsilon")
OPTIMIZER_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "adam": (*_MOMENTS, "amsgrad"),
    "adamw": (*_MOMENTS, "amsgrad"),
    "adamax": _MOMENTS,
    "nadam": _MOMENTS,
    "sgd": ("momentum", "nesterov"),
    "rmsprop": ("rho", "momentum", "epsilon", "centered"),
    "adagrad": ("initial_accumulator_value", "epsilon"),
    "adadelta": ("rho", "epsilon"),
    "lion": ("beta_1", "beta_2"),
}
COMMON_ARGUMENTS = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
_FLAGS = ("amsgrad", "nesterov", "centered")
_FRACTIONS = ("beta_1", "beta_2", "momentum", "rho")
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")

SMOOTHED_LOSSES = (
    "categorical_crossentropy", "categorical_focal_crossentropy", "binary_crossentropy", "binary_focal_crossentropy",
    "m3ce", "m3ce_crossentropy",
)  # fmt: skip
LOSSES = (
    *SMOOTHED_LOSSES, "sparse_categorical_crossentropy", "kl_divergence",
    "mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "poisson", "hinge", "squared_hinge",
    "categorical_hinge", "cosine_similarity",
)  # fmt: skip
LOSS_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "categorical_focal_crossentropy": ("alpha", "gamma"),
    "binary_focal_crossentropy": ("apply_class_balancing", "alpha", "gamma"),
    "m3ce": ("margin", "eta", "slope"),
    "m3ce_crossentropy": ("weight", "margin", "eta", "slope"),
    "huber": ("delta",),
}
METRICS = (
    "accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy",
    "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "categorical_crossentropy",
    "sparse_categorical_crossentropy", "mean_squared_error", "mean_absolute_error",
    "auc", "precision", "recall", "f1_score",
)  # fmt: skip
ARCHITECTURES = (
    "paper", "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_lite0", "efficientnet_lite1",
    "efficientnet_lite2", "efficientnet_v2_s", "googlenet", "inception_v3", "mobilenet", "mobilenet_v2",
    "mobilenet_v3_large", "mobilenet_v3_small", "resnet50", "resnet50_v2", "resnet101", "vgg16", "vgg19", "xception",
)  # fmt: skip


def optimizer_argument_problems(optimizer: str, arguments: dict[str, Any]) -> list[str]:
    """List what is wrong with the arguments of an optimizer, one sentence each.

    Args:
        optimizer: a name of `OPTIMIZERS`.
        arguments: name → value, as the recipe has them.
    """
    known = (*OPTIMIZER_ARGUMENTS[optimizer], *COMMON_ARGUMENTS)
    problems = []
    for name, value in arguments.items():
        if name == "learning_rate":
            problems.append("learning_rate has a key of its own: training.learning_rate")
        elif name not in known:
            hint = did_you_mean(str(name), known)
            problems.append(f"{optimizer} has no argument {name!r}.{hint} Known: {', '.join(known)}")
        elif name in _FLAGS and not isinstance(value, bool):
            problems.append(f"{name}: expected true or false; received {value!r}")
        elif name in _FRACTIONS and not (is_number(value) and 0 <= value < 1):
            problems.append(f"{name}: expected a number from 0 to below 1; received {value!r}")
        elif name not in (*_FLAGS, *_FRACTIONS) and not (is_number(value) and value >= 0):
            problems.append(f"{name}: expected a number, 0 or more; received {value!r}")
    clips = [name for name in _CLIPS if name in arguments]
    if len(clips) > 1:
        problems.append(f"only one of {', '.join(clips)} may be set")
    return problems
