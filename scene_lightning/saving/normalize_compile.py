"""Brings what `compile` was given, as any Keras wrote it, to Keras 3's `compile_config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scene_lightning.errors import FileFormatError

_KEPT = ("loss_weights", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile")
_OPTIMIZER_DROPPED = {"is_legacy_optimizer", "jit_compile", "schedule_decay", "decay", "lr"}
_REDUCTIONS = {
    "auto": "sum_over_batch_size",
    "SUM_OVER_BATCH_SIZE": "sum_over_batch_size",
    "SUM": "sum",
    "NONE": "none",
}
_AUTOMATIC_METRICS = ("accuracy", "acc", "crossentropy", "ce")  # chosen by the shape of the output, so kept as names
_METRIC_CLASSES = {
    "categorical_accuracy": "CategoricalAccuracy",
    "sparse_categorical_accuracy": "SparseCategoricalAccuracy",
    "binary_accuracy": "BinaryAccuracy",
    "top_k_categorical_accuracy": "TopKCategoricalAccuracy",
    "sparse_top_k_categorical_accuracy": "SparseTopKCategoricalAccuracy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "binary_crossentropy": "BinaryCrossentropy",
    "mean_squared_error": "MeanSquaredError",
    "mean_absolute_error": "MeanAbsoluteError",
}


def normalize_compile_config(config: Any, outputs: Sequence[str] = ()) -> dict[str, Any] | None:
    """Bring what `compile` was given, as any Keras wrote it, to the form of Keras 3.

    Args:
        config: `compile_config` (Keras 3, tf.keras 2.13+) or `training_config` (legacy `.h5`).
        outputs: the model's output names. tf.keras writes metrics under the names of its logs, "<output>_accuracy".

    Returns:
        The one form, or None for a model that was not compiled.

    Raises:
        FileFormatError: not an object, or an optimiser without a class.
    """
    if config is None or config == {}:
        return None
    if not isinstance(config, dict):
        raise FileFormatError(f"the compile config should be an object; received {config!r:.120}.")
    optimizer = config.get("optimizer", config.get("optimizer_config"))
    out: dict[str, Any] = {
        "optimizer": normalize_optimizer(optimizer) if isinstance(optimizer, dict) else optimizer,
        "loss": _nested(config.get("loss"), "keras.losses"),
        "metrics": _metrics(config.get("metrics"), outputs),
    }
    out |= {key: config[key] for key in _KEPT if config.get(key) is not None}
    if "weighted_metrics" in out:
        out["weighted_metrics"] = _metrics(out["weighted_metrics"], outputs)
    if out["optimizer"] is None and out["loss"] is None:
        return None
    return out


def normalize_optimizer(optimizer: dict[str, Any]) -> dict[str, Any]:
    """Bring an optimizer's dict to Keras 3's form, with module "keras.optimizers".

    Keras 2's `lr` becomes `learning_rate`; its `decay` stays, for the optimizers here honour it and a program may still
    set the rate. Keras 3 on torch names its own classes (keras.src.backend.torch…), which others cannot load.

    Args:
        optimizer: the dict, as any Keras wrote it.
    """
    class_name = optimizer.get("class_name")
    if not isinstance(class_name, str):
        raise FileFormatError(f"the optimiser should have a class_name; received {optimizer!r:.120}.")
    given = optimizer.get("config")
    given = given if isinstance(given, dict) else {}
    config = {key: value for key, value in given.items() if key not in _OPTIMIZER_DROPPED and value is not None}
    rate = given.get("learning_rate", given.get("lr"))
    decay = given.get("decay")
    if isinstance(rate, dict):
        rate = _component(rate, "keras.optimizers.schedules")
    elif isinstance(decay, int | float) and decay > 0:
        config["decay"] = float(decay)
    if rate is not None:
        config["learning_rate"] = rate
    name = class_name.split(">")[-1]
    own = class_name.startswith(("Custom>", "Keras>")) or ">" not in class_name
    module = optimizer.get("module")
    known = own and (module is None or str(module).startswith("keras"))
    if name == "LossScaleOptimizer" and isinstance(config.get("inner_optimizer"), dict):
        config["inner_optimizer"] = normalize_optimizer(config["inner_optimizer"])
    return {
        "module": "keras.optimizers" if known else module,
        "class_name": name if known else class_name,
        "config": config,
        "registered_name": None if known else optimizer.get("registered_name"),
    }


def holds_objects(value: Any) -> bool:
    """Whether a part of a compile config is a list or dict of losses or metrics, rather than one of them.

    Args:
        value: the part.
    """
    return isinstance(value, list | tuple) or (isinstance(value, Mapping) and "class_name" not in value)


def plain_dtype(value: Any) -> Any:
    """The name of a dtype policy.

    Args:
        value: the policy's dict, or the name already.
    """
    if isinstance(value, dict):
        inner = value.get("config")
        return inner.get("name", "float32") if isinstance(inner, dict) else "float32"
    return value


def _nested(value: Any, module: str, depth: int = 0) -> Any:
    """A loss, or a list or dict of losses, one per output."""
    if depth > 20:
        raise FileFormatError("the compile config is nested too deeply.")
    if isinstance(value, list):
        return [_nested(item, module, depth + 1) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return _component(value, module)
    if isinstance(value, dict):
        return {key: _nested(item, module, depth + 1) for key, item in value.items()}
    return value


def _metrics(value: Any, outputs: Sequence[str] = ()) -> Any:
    """Keras 2 wrote one list per output, `[[…]]` for a lone output; Keras 3 writes that one flat."""
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _metrics(item, outputs) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    return [_metrics_of_one(item, outputs) for item in value]


def _metrics_of_one(item: Any, outputs: Sequence[str]) -> Any:
    if isinstance(item, list):
        return [_metrics_of_one(inner, outputs) for inner in item]
    if not isinstance(item, dict) or "class_name" not in item:
        return item
    config = dict(item["config"]) if isinstance(item.get("config"), dict) else {}
    if len(outputs) > 1 and isinstance(config.get("name"), str):
        config["name"] = _without_output(config["name"], outputs)
    if not str(item["class_name"]).endswith("MeanMetricWrapper"):
        return _component({**item, "config": config}, "keras.metrics")
    function, name = config.get("fn"), config.get("name")
    if isinstance(function, dict):
        function = function.get("config")
    if name in _AUTOMATIC_METRICS:
        return name
    if not isinstance(function, str):
        return name
    if function in _METRIC_CLASSES:
        kept = {"name": name} if isinstance(name, str) else {}
        return _component({"class_name": _METRIC_CLASSES[function], "config": kept}, "keras.metrics")
    return function


def _without_output(name: str, outputs: Sequence[str]) -> str:
    prefixes = [f"{output}_" for output in outputs if name.startswith(f"{output}_")]
    return name.removeprefix(max(prefixes, key=len, default=""))


def _component(value: dict[str, Any], module: str) -> dict[str, Any]:
    class_name = value.get("class_name")
    if not isinstance(class_name, str):
        raise FileFormatError(f"expected an object with a class_name; received {value!r:.120}.")
    config = value.get("config")
    if class_name == "function" or not isinstance(config, dict):
        return value
    kept = {key: item for key, item in config.items() if key != "fn"}
    if "dtype" in kept:
        kept["dtype"] = plain_dtype(kept["dtype"])
    if isinstance(kept.get("reduction"), str):
        kept["reduction"] = _REDUCTIONS.get(kept["reduction"], kept["reduction"])
    return {
        "module": value.get("module", module),
        "class_name": class_name.split(">")[-1] if class_name.startswith(("Custom>", "Keras>")) else class_name,
        "config": kept,
        "registered_name": value.get("registered_name"),
    }
