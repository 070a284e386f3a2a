"""Turns Keras 3's `compile_config` into the `training_config` of tf.keras 2's `.h5` files."""

from __future__ import annotations

import json
from typing import Any

from scene_lightning.errors import UnsupportedError
from scene_lightning.saving._files import to_json
from scene_lightning.saving.archive import OptimizerState
from scene_lightning.saving.normalize_compile import holds_objects, normalize_compile_config
from scene_lightning.tree import map_leaves

_OPTIMIZERS = {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion"}
_WITHOUT_STATE = {"Nadam", "Ftrl"}  # theirs is laid out otherwise in Keras 2
_SCHEDULES = {
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay",
    "PolynomialDecay",
}  # fmt: skip
_LOSSES = {
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalHinge", "CosineSimilarity", "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge",
}  # fmt: skip
_METRICS = {
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy", "CategoricalCrossentropy",
    "F1Score", "FalseNegatives", "FalsePositives", "KLDivergence", "MeanAbsoluteError", "MeanSquaredError",
    "Precision", "Recall", "RootMeanSquaredError", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives",
}  # fmt: skip
# Options that Keras 2 does not know, with the values that change nothing.
_IDLE: dict[str, Any] = {
    "gradient_accumulation_steps": None, "loss_scale_factor": None, "use_ema": False, "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
}  # fmt: skip


def keras2_training_config(compile_config: dict[str, Any] | None) -> dict[str, Any] | None:
    """Turn what `compile` was given into Keras 2's `training_config`; None for an uncompiled model.

    Args:
        compile_config: Keras 3's.

    Raises:
        UnsupportedError: an optimizer, loss or metric that Keras 2 does not have, by its name.
    """
    config = normalize_compile_config(json.loads(to_json(compile_config)))
    if config is None:
        return None
    return {
        "loss": _objects(config["loss"], "loss", _LOSSES),
        "metrics": _objects(config["metrics"], "metric", _METRICS),
        "weighted_metrics": _objects(config.get("weighted_metrics"), "metric", _METRICS),
        "loss_weights": config.get("loss_weights"),
        "optimizer_config": _optimizer(config["optimizer"]),
    }


def keras2_optimizer_state(state: OptimizerState | None, training: dict[str, Any] | None) -> OptimizerState | None:
    """What of the optimizer's state Keras 2 can take: the count and the slots, the rate being in the config.

    Args:
        state: the optimizer's state, or None.
        training: what `keras2_training_config` gave.
    """
    if state is None or training is None:
        return None
    if training["optimizer_config"]["class_name"].removeprefix("Custom>") in _WITHOUT_STATE:
        return None
    return OptimizerState(state.iterations, None, state.slots)


def _refused(kind: str, name: Any) -> UnsupportedError:
    return UnsupportedError(
        f"tf.keras 2 has no {kind} {name!r}. Save with include_optimizer=False, which leaves out what compile() was "
        "given, and compile there; or save for Keras 3 (save('m.keras'))."
    )


def _optimizer(optimizer: Any) -> dict[str, Any]:
    if isinstance(optimizer, str):
        return {"class_name": optimizer, "config": {}}
    name = optimizer["class_name"]
    if name not in _OPTIMIZERS or optimizer["module"] != "keras.optimizers":
        raise _refused("optimizer", name)
    config = dict(optimizer["config"])
    for key, idle in _IDLE.items():
        if key in config and config.pop(key) not in (idle, None) and key not in ("ema_momentum",):
            raise _refused(f"{key} in its optimizer", name)
    rate, decay = config.get("learning_rate"), config.pop("decay", None)
    if isinstance(rate, dict):
        if rate["class_name"] not in _SCHEDULES:
            raise _refused("learning-rate schedule", rate["class_name"])
        config["learning_rate"] = {"class_name": rate["class_name"], "config": rate["config"]}
    elif decay:  # rate / (1 + decay · iterations), which its newer optimizers take as a schedule alone
        schedule = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay, "staircase": False}
        config["learning_rate"] = {"class_name": "InverseTimeDecay", "config": schedule}
    return {"class_name": f"Custom>{name}", "config": config}


def _objects(value: Any, kind: str, known: set[str]) -> Any:
    """A loss or metric, or a list or dict of them."""
    return map_leaves(lambda leaf: _object(leaf, kind, known), value, is_branch=holds_objects)


def _object(value: Any, kind: str, known: set[str]) -> Any:
    if not isinstance(value, dict):
        return value
    name, config = value["class_name"], value.get("config")
    if name not in known or not isinstance(config, dict) or not str(value.get("module")).startswith("keras."):
        raise _refused(kind, config if isinstance(config, str) else name)
    config = {key: item for key, item in config.items() if key != "dtype"}
    if config.get("reduction", "sum") not in ("sum", "none", "sum_over_batch_size", "auto"):
        raise _refused(f"reduction {config['reduction']!r} in its {kind}", name)
    if name == "SparseCategoricalCrossentropy" and kind == "loss" and config.pop("axis", -1) != -1:
        raise _refused("axis in its loss", name)
    return {"class_name": name, "config": config}
