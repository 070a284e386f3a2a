"""Brings a model's config, as any Keras wrote it, to the form of Keras 3, and to one that every Keras 3 loads.

Everything here is dicts and lists from JSON; nothing is looked up or instantiated.
"""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import FileFormatError
from scene_lightning.saving.normalize_compile import normalize_compile_config, normalize_optimizer, plain_dtype
from scene_lightning.saving.normalize_graph import (
    count_calls_as_keras3,
    count_calls_from_zero,
    endpoints,
    inbound_nodes,
    rename_references,
    written_by_keras2,
)
from scene_lightning.saving.normalize_tensorflow import CALLS, operation_of

__all__ = ["normalize_compile_config", "normalize_model_config", "portable_config", "refuse_unsafe"]

_MODELS = {"Sequential": "keras", "Functional": "keras.src.models.functional", "Model": "keras.src.models.functional"}
_MAX_LAYERS = 50_000
_OPERATORS = {"Add", "Subtract", "Multiply", "TrueDivide", "Divide", "Power", "Negative", "GetItem"}
# Keys of Keras 2 layers that say nothing Keras 3 does not know (all layers, then by class).
_DROPPED = {
    "batch_input_shape", "input_dtype", "input_shape", "fused", "virtual_batch_size", "adjustment", "rng_type",
    "force_generator",
}  # fmt: skip
_DROPPED_BY_CLASS = {
    "DepthwiseConv2D": {"groups", "filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint"},
    "SeparableConv2D": {"groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"},
    "Conv2DTranspose": {"groups"},
}
_RENAMED_LAYERS = {"BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization"}
_KINDS = (
    ("_initializer", "keras.initializers"),
    ("_regularizer", "keras.regularizers"),
    ("_constraint", "keras.constraints"),
)
# None there means "as if absent"; older Keras 3 versions refuse some of these keys, so they are not written.
_OMITTED_WHEN_NONE = {
    "seed", "noise_shape", "quantization_config", "renorm_clipping", "input_axes", "output_axes", "weight_decay",
    "clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency", "loss_scale_factor",
    "gradient_accumulation_steps", "build_config",
}  # fmt: skip
_OMITTED_ENDINGS = ("_regularizer", "_constraint")


def normalize_model_config(config: dict[str, Any]) -> dict[str, Any]:
    """Bring a whole model's config of any Keras to the form of Keras 3, nested models and layers included.

    Taken care of: `batch_input_shape`, Keras 2's `inbound_nodes`, dtype policies, list-valued BatchNormalization axes,
    LeakyReLU's `alpha`, initialiser dicts of every era, missing input layers. Tensors are named [layer, call, output]
    with calls counted from 0 in the graph at hand, for sub-models too (Keras counts those in three ways).

    Args:
        config: the model's dict, as any Keras wrote it.

    Returns:
        {module, class_name, config, registered_name, …}.

    Raises:
        FileFormatError: no class_name or config where there must be one.
    """
    return _layer(config, where="the model config")


def refuse_unsafe(config: Any) -> None:
    """Raise if a config carries Python code: a `__lambda__` function.

    Those of Lambda layers pass: the layer takes its function from the program, never from the file.

    Args:
        config: config of a model, or for `compile`.

    Raises:
        FileFormatError: with the layer's name and what to do.
    """
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
            continue
        if not isinstance(value, dict):
            continue
        class_name = value.get("class_name")
        inner = value.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        if class_name == "Lambda":
            continue
        if class_name == "__lambda__":
            raise FileFormatError(
                f"The file holds Python code in a {class_name} ({name or 'without a name'!r}), which is not run. "
                "Save the model with a registered Layer instead, or rebuild the network in code and load its weights."
            )
        pending += list(value.values())


def portable_config(config: dict[str, Any]) -> dict[str, Any]:
    """Bring a model's config to the smallest form, which the most Keras 3 versions and backends load.

    Args:
        config: a model's dict, as models give it.
    """
    return _portable(config, depth=0)


def _portable(value: Any, depth: int) -> Any:
    if depth > 400:
        raise FileFormatError("The model config is nested too deeply to be written; expected at most 400 levels.")
    if isinstance(value, list | tuple):
        return [_portable(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    out = {
        key: _portable(item, depth + 1)
        for key, item in value.items()
        if not (item is None and (key in _OMITTED_WHEN_NONE or str(key).endswith(_OMITTED_ENDINGS)))
    }
    module = out.get("module")
    if isinstance(module, str) and "optimizers" in module and module.startswith("keras.src."):
        return normalize_optimizer(out)
    if (
        out.get("class_name") in ("Functional", "Model")
        and "layers" in (out.get("config") or {})
        and module is not None
    ):
        out["module"], out["class_name"] = _MODELS["Functional"], "Functional"
        out["registered_name"] = "Functional"
    if out.get("class_name") == "Functional" and isinstance((out.get("config") or {}).get("layers"), list):
        count_calls_as_keras3(out["config"])
    return out


def _layer(layer: Any, where: str, *, first: bool = False) -> dict[str, Any]:
    if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
        raise FileFormatError(f"{where} should be an object with a class_name; received {layer!r:.120}.")
    class_name = str(_RENAMED_LAYERS.get(layer["class_name"], layer["class_name"]))
    config = layer.get("config")
    if class_name == "Sequential" and isinstance(config, list):  # up to Keras 2.2.2
        config = {"name": "sequential", "layers": config}
    if not isinstance(config, dict):
        raise FileFormatError(f"{where} ({class_name}) should have a config object; received {config!r:.120}.")
    is_model = "layers" in config and isinstance(config["layers"], list)
    out = {key: value for key, value in layer.items() if key not in ("class_name", "config")}
    if is_model:
        if class_name == "Model":
            class_name = "Functional"
        out["module"] = _MODELS.get(class_name, layer.get("module"))
        out["config"] = _sequential(config) if class_name == "Sequential" else _functional(config)
    else:
        # A layer's config has more than a name; arithmetic on tensors (`x * 2`) has not, and .h5 leaves its module out.
        is_operator = class_name in _OPERATORS and set(config) <= {"name"}
        out.setdefault(
            "module", None if ">" in class_name else "keras.src.ops.numpy" if is_operator else "keras.layers"
        )
        out["config"] = _layer_config(class_name, config)
    out["class_name"] = class_name
    out.setdefault("registered_name", class_name if ">" in class_name else None)
    return out


def _sequential(config: dict[str, Any]) -> dict[str, Any]:
    layers = _checked_layers(config)
    shape = _first_shape(layers)
    out = dict(config)
    out["layers"] = [_layer(layer, f"layer {index}") for index, layer in enumerate(layers)]
    if shape is not None:
        out["layers"].insert(0, _input_layer(shape, layers[0]))
    if "dtype" in out:
        out["dtype"] = plain_dtype(out["dtype"])
    if isinstance(out.get("build_input_shape"), dict):  # a TensorShape
        out["build_input_shape"] = out["build_input_shape"].get("items")
    return out


def _functional(config: dict[str, Any]) -> dict[str, Any]:
    out = dict(config)
    out["layers"] = []
    renamed: dict[str, str] = {}
    for index, layer in enumerate(_checked_layers(config)):
        if isinstance(layer, dict) and layer.get("class_name") in CALLS:
            normal = operation_of(layer)
            renamed[str(layer.get("name"))] = normal["name"]
        else:
            normal = _layer(layer, f"layer {index}")
            normal["inbound_nodes"] = inbound_nodes(layer.get("inbound_nodes", []), normal["class_name"])
            normal.setdefault("name", normal["config"].get("name"))
        out["layers"].append(normal)
    keras2 = written_by_keras2(config["layers"])
    for key in ("input_layers", "output_layers"):
        if key in config:
            out[key] = endpoints(config[key], keras2=keras2)
    rename_references(out, renamed)
    count_calls_from_zero(out, keras2=keras2)
    if "dtype" in out:
        out["dtype"] = plain_dtype(out["dtype"])
    return out


def _checked_layers(config: dict[str, Any]) -> list[Any]:
    layers = config["layers"]
    if len(layers) > _MAX_LAYERS:
        raise FileFormatError(f"the model config lists {len(layers)} layers; expected at most {_MAX_LAYERS}.")
    return list(layers)


def _first_shape(layers: list[Any]) -> Any:
    """The batch shape that a first layer carries itself, when no InputLayer stands before it."""
    if not layers or not isinstance(layers[0], dict) or not isinstance(layers[0].get("config"), dict):
        return None
    first = layers[0]
    if first.get("class_name") == "InputLayer" or "layers" in first["config"]:
        return None
    return _shape(first["config"].get("batch_input_shape"))


def _input_layer(batch_shape: Any, first: dict[str, Any]) -> dict[str, Any]:
    name = f"{first['config'].get('name') or 'layer'}_input"
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": batch_shape, "dtype": "float32", "name": name},
        "registered_name": None,
    }


def _shape(value: Any) -> Any:
    """A shape as list; TensorShape and tuple dicts opened."""
    if isinstance(value, dict) and "items" in value:
        return _shape(value["items"])
    return list(value) if isinstance(value, list | tuple) else value


def _layer_config(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    dropped = _DROPPED | _DROPPED_BY_CLASS.get(class_name, set())
    if class_name == "InputLayer":
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        out = {"batch_shape": _shape(shape), "dtype": plain_dtype(config.get("dtype") or "float32")}
        return out | ({"name": config["name"]} if "name" in config else {})
    out = {key: _value(key, value) for key, value in config.items() if key not in dropped}
    if "dtype" in out:
        out["dtype"] = plain_dtype(out["dtype"])
    if class_name == "LeakyReLU" and "alpha" in out:
        out.setdefault("negative_slope", out.pop("alpha"))
    axis = out.get("axis")
    if class_name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        out["axis"] = axis[0]
    if class_name == "BatchNormalization" and out.get("renorm") is False:
        out = {key: value for key, value in out.items() if not key.startswith("renorm")}
    return {key: value for key, value in out.items() if key != "quantization_config" or value is not None}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "ndarray":  # Keras 2.2's way with NumPy scalars
        return value.get("value")
    if isinstance(value, dict) and value.get("class_name") in ("__tuple__", "TensorShape"):
        return _shape(value)
    for ending, module in _KINDS:
        if key.endswith(ending) and isinstance(value, dict):
            return _component(value, module)
    if key == "layer" and isinstance(value, dict) and "class_name" in value:  # wrappers hold one
        return _layer(value, "a wrapped layer")
    return value


def _component(value: dict[str, Any], module: str) -> dict[str, Any]:
    """An initialiser, regulariser or constraint → with module and registered_name, old keys gone."""
    if not isinstance(value.get("class_name"), str):
        raise FileFormatError(f"expected an object with a class_name; received {value!r:.120}.")
    config = value.get("config")
    kept = (
        {key: item for key, item in config.items() if key not in ("dtype", "input_axes", "output_axes")}
        if isinstance(config, dict)
        else {}
    )
    if kept.get("distribution") == "normal":  # Keras 2's name
        kept["distribution"] = "truncated_normal"
    return {
        "module": value.get("module", module),
        "class_name": value["class_name"],
        "config": kept,
        "registered_name": value.get("registered_name"),
    }
