"""Turns Keras 3's configs into the JSON that tf.keras 2 (2.11 and later) writes into its `.h5` files.

What Keras 2 does not have, or computes otherwise, is refused by name: a file that loads and answers differently
would be worse than none. Source: what tf_keras 2.21 writes and reads (saving/legacy/hdf5_format.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from scene_lightning.errors import UnsupportedError
from scene_lightning.saving._files import to_json
from scene_lightning.saving.archive import LayerWeights
from scene_lightning.saving.normalize import normalize_model_config
from scene_lightning.saving.normalize_graph import is_reference

KERAS2_VERSION = "2.15.0"

_DIMENSIONS = ("1D", "2D", "3D")
_LAYERS = {
    "InputLayer", "Dense", "Activation", "ActivityRegularization", "SeparableConv1D", "SeparableConv2D",
    "DepthwiseConv1D", "DepthwiseConv2D", "BatchNormalization", "LayerNormalization", "GroupNormalization",
    "UnitNormalization", "Normalization", "LeakyReLU", "PReLU", "ELU", "ReLU", "Softmax", "ThresholdedReLU", "Dropout",
    "AlphaDropout", "GaussianDropout", "GaussianNoise", "Flatten", "Reshape", "Permute", "RepeatVector", "Identity",
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Rescaling", "Resizing",
    "CenterCrop", "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness",
    "RandomTranslation", "RandomCrop", "RandomHeight", "RandomWidth",
} | {
    kind + dimension
    for kind in ("Conv", "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling", "Cropping",
                 "ZeroPadding", "UpSampling", "SpatialDropout")
    for dimension in _DIMENSIONS
} | {f"Conv{dimension}Transpose" for dimension in _DIMENSIONS}  # fmt: skip
# hard_sigmoid is another function there: clip(0.2 x + 0.5, 0, 1).
_ACTIVATIONS = {
    "elu", "exponential", "gelu", "linear", "mish", "relu", "selu", "sigmoid", "softmax", "softplus", "softsign",
    "swish", "tanh",
}  # fmt: skip
_COMPONENTS = {
    "_initializer": {
        "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal",
        "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
        "Zeros",
    },
    "_regularizer": {"L1", "L2", "L1L2", "OrthogonalRegularizer"},
    "_constraint": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
}  # fmt: skip
_OLD_NAMES = {"OrthogonalInitializer": "Orthogonal", "IdentityInitializer": "Identity"}
# Keys that Keras 2 does not know, with the values that say what it does anyway.
_IDLE: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"synchronized": False},
    "LayerNormalization": {"rms_scaling": False},
    "Resizing": {
        "pad_to_aspect_ratio": False, "antialias": False, "fill_mode": "constant", "fill_value": 0.0,
        "data_format": "channels_last",
    },
    "RandomContrast": {"value_range": [0, 255]},
    "Conv3DTranspose": {"dilation_rate": [1, 1, 1]},
    **{
        name: {"data_format": "channels_last"}
        for name in ("CenterCrop", "RandomCrop", "RandomFlip", "RandomHeight", "RandomRotation", "RandomTranslation",
                     "RandomWidth", "RandomZoom", "SpatialDropout2D", "SpatialDropout3D", "ZeroPadding1D")
    },
}  # fmt: skip


def keras2_model_config(config: dict[str, Any]) -> dict[str, Any]:
    """Turn a whole model's config, as models give it, into Keras 2's `model_config`.

    Args:
        config: Keras 3's dict.

    Raises:
        UnsupportedError: a layer, option or call that Keras 2 does not have, by the layer's name.
    """
    return _layer(normalize_model_config(json.loads(to_json(config))))


def keras2_tree(tree: LayerWeights) -> LayerWeights:
    """The same weights under the names of TensorFlow variables: "kernel:0".

    Args:
        tree: the weights of a model.
    """
    names = [f"{name}:0" for name in tree.weight_names]
    return replace(tree, weight_names=names, children=[keras2_tree(child) for child in tree.children])


def _refused(what: str) -> UnsupportedError:
    return UnsupportedError(
        f"tf.keras 2 cannot load this model: {what}. Save it for Keras 3 (save('m.keras')), or build the network there "
        "in code and load the weights of save_weights('m.h5')."
    )


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    class_name, config = layer["class_name"], layer["config"]
    name = config.get("name", class_name)
    own = str(layer.get("module")).startswith(("keras.layers", "keras.models", "keras.src.models")) or (
        layer.get("module") == "keras" and class_name == "Sequential"
    )
    if own and class_name == "Sequential":
        inner = {"name": config["name"], "layers": [_layer(layer) for layer in config["layers"]]}
        return {"class_name": class_name, "config": inner}
    if own and class_name == "Functional" and "layers" in config:
        return {"class_name": class_name, "config": _functional(config)}
    if not own or class_name not in _LAYERS:
        raise _refused(f"it has no layer {class_name!r} (here {name!r})")
    return {"class_name": class_name, "config": _layer_config(class_name, config)}


def _functional(config: dict[str, Any]) -> dict[str, Any]:
    # A sub-model has a call of its own, from its own inputs, which Keras 2 counts wherever the sub-model is named.
    counted = {layer["name"] for layer in config["layers"] if _has_own_call(layer)}
    layers = []
    for layer in config["layers"]:
        written = _layer(layer)  # first: a stranger is named as such, not by how it is called
        calls = [_call(node, layer, counted) for node in layer["inbound_nodes"]]
        layers.append({**written, "name": layer["name"], "inbound_nodes": calls})
    ends = {key: _endpoints(config[key], counted) for key in ("input_layers", "output_layers")}
    return {"name": config["name"], "trainable": config.get("trainable", True), "layers": layers, **ends}


def _has_own_call(layer: dict[str, Any]) -> bool:
    inner = layer["config"].get("layers") or [{}]
    return layer["class_name"] == "Functional" or (
        layer["class_name"] == "Sequential" and inner[0].get("class_name") == "InputLayer"
    )


def _endpoints(value: Any, counted: Collection[str]) -> Any:
    if is_reference(value):
        return [_reference(value, counted)]
    if isinstance(value, list) and all(is_reference(item) for item in value):
        return [_reference(item, counted) for item in value]
    raise _refused("its inputs or outputs are neither a tensor nor a list of them")


def _reference(history: list[Any], counted: Collection[str]) -> list[Any]:
    name, node, tensor = history[:3]
    return [name, node + int(name in counted), tensor]


def _call(node: dict[str, Any], layer: dict[str, Any], counted: Collection[str]) -> list[Any]:
    """{"args": […], "kwargs": {…}} → [["conv2d", 0, 0, {}], …]: the tensors, each with the call's keywords."""
    where = f"the call of {layer['class_name']} {layer['name']!r}"
    given = list(node["args"])
    keywords = dict(node["kwargs"])
    if not given and "inputs" in keywords:
        given = [keywords.pop("inputs")]
    if len(given) != 1:
        raise _refused(f"{where} has {len(given)} positional arguments")
    if set(keywords) - {"training"}:
        raise _refused(f"{where} is given {sorted(keywords)}")
    first = given[0]
    if isinstance(first, dict) and first.get("class_name") == "__tuple__":
        first = first["items"]
    tensors = [_tensor(item, where, counted) for item in (first if isinstance(first, list) else [first])]
    return [[*tensor, keywords] for tensor in tensors]


def _tensor(value: Any, where: str, counted: Collection[str]) -> list[Any]:
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        raise _refused(f"{where} takes something else than tensors")
    return _reference(value["config"]["keras_history"], counted)


def _layer_config(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    name = config.get("name")
    if class_name == "InputLayer":
        shape = config["batch_shape"]
        return {"batch_input_shape": shape, "dtype": config["dtype"], "sparse": False, "ragged": False, "name": name}
    idle = _IDLE.get(class_name, {})
    for key, value in config.items():
        if key in idle and value != idle[key]:
            raise _refused(f"its {class_name} (here {name!r}) has no {key}={value!r}")
    kept = {key: value for key, value in config.items() if key not in idle}
    out: dict[str, Any] = {"name": name, "dtype": "float32"}
    out |= {key: _value(key, value, f"{class_name} {name!r}") for key, value in kept.items()}
    if class_name == "LeakyReLU":
        out["alpha"] = out.pop("negative_slope")
    if class_name == "BatchNormalization" and isinstance(out["axis"], int):
        out["axis"] = [out["axis"]]
    return out


def _value(key: str, value: Any, where: str) -> Any:
    if key == "activation":
        value = {"silu": "swish", None: "linear"}.get(value, value) if not isinstance(value, dict) else value
        if not isinstance(value, str) or value not in _ACTIVATIONS:
            name = value.get("config") if isinstance(value, dict) else value
            raise _refused(f"its activation {name!r} (in {where}) is not there, or another function")
        return value
    for ending, known in _COMPONENTS.items():
        if key.endswith(ending) and isinstance(value, dict):
            class_name = _OLD_NAMES.get(value["class_name"], value["class_name"])
            if class_name not in known or not str(value.get("module")).startswith("keras."):
                raise _refused(f"it has no {ending[1:]} {class_name!r} (in {where})")
            return {"class_name": class_name, "config": value["config"]}
    if isinstance(value, dict):
        raise _refused(f"{key} of {where} is an object of Keras 3")
    return value
