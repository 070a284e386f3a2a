"""Turns layers and graphs into Keras 3's config dicts, and makes them again.

One layer becomes `{module, class_name, config, registered_name}`; a functional model lists its layers, each with the
calls (`inbound_nodes`) that join it to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from scene_lightning import layers as layer_namespace
from scene_lightning._registry import custom_object_scope, did_you_mean, get_custom_objects, registered_name
from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.symbolic import KerasTensor, Node
from scene_lightning.ops import operator_layers
from scene_lightning.tree import map_structure

_model_classes: dict[str, Any] = {}


def register_model_class(cls: Any, *names: str) -> None:
    """Let configs name a kind of model (`Sequential`, `Functional`, `Model`).

    Args:
        cls: the class.
        *names: the names in configs.
    """
    for name in names:
        _model_classes[name] = cls


# -- one layer ---------------------------------------------------------------------------------------------------------


def layer_config(layer: Any) -> dict[str, Any]:
    """One layer as Keras 3's dict `{module, class_name, config, registered_name}`.

    Args:
        layer: a layer or model.
    """
    registered = registered_name(type(layer))
    is_model = type(layer).__name__ in _model_classes
    own = hasattr(layer_namespace, type(layer).__name__) or is_model
    config: dict[str, Any] = {
        "module": ("keras.models" if is_model else "keras.layers") if own else None,
        "class_name": type(layer).__name__,
        "config": layer.get_config(),
        "registered_name": registered if not own else None,
    }
    keras_module = getattr(layer, "_keras_module", None)
    if keras_module is not None:  # operators: Keras keeps them outside keras.layers
        config["module"] = keras_module
    shape = getattr(layer, "_build_shape", None)
    if shape is not None and layer.weights and isinstance(shape, tuple):
        config["build_config"] = {"input_shape": list(shape)}
    return config


def layer_from_config(data: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a layer from Keras 3's dict. Raises InputError for an unknown class, UnsupportedError for a known stranger.

    Args:
        data: the dict.
        custom_objects: classes and functions of the user's by name.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        raise InputError(f"A layer config needs a 'class_name' and a 'config'; received {data!r}.")
    class_name, config = data["class_name"], dict(data.get("config") or {})
    with custom_object_scope(custom_objects):
        cls = _find_layer_class(class_name, data.get("registered_name"), data.get("module"))
        if "name" not in config and isinstance(data.get("name"), str):
            config["name"] = data["name"]
        layer = cls.from_config(config)
        shape = (data.get("build_config") or {}).get("input_shape")
        is_plain = isinstance(shape, list | tuple) and all(n is None or isinstance(n, int) for n in shape)
        if shape and is_plain and not layer.built and not isinstance(layer, tuple(_model_classes.values())):
            layer._build_once(tuple(shape))
    return layer


def own_classes(model: Any) -> dict[str, type]:
    """The user's own layer classes in a model by name: a copy or file of the same code needs no registration.

    Args:
        model: the model.
    """
    classes = {type(module) for module in model.modules() if isinstance(module, Layer)}
    return {cls.__name__: cls for cls in classes if not cls.__module__.startswith("scene_lightning.")}


def _find_layer_class(class_name: str, registered: Any = None, module: Any = None) -> Any:
    """The class that a config names: a custom object, a layer of this package, or a kind of model."""
    custom = get_custom_objects()
    name = class_name.split(">")[-1]
    for candidate in (registered, class_name, name):
        if isinstance(candidate, str) and candidate in custom:
            return custom[candidate]
    if name in _model_classes:
        return _model_classes[name]
    is_operator = isinstance(module, str) and ".ops" in module  # `Add` is a merging layer and an operator
    layer_class = operator_layers().get(name) if is_operator else getattr(layer_namespace, name, None)
    if isinstance(layer_class, type) and issubclass(layer_class, Layer):
        return layer_class
    known = [n for n in dir(layer_namespace) if n[:1].isupper()]
    name, class_name = name[:80], class_name[:80]
    raise UnsupportedError(
        f"Unknown layer {class_name!r}.{did_you_mean(name, known)} A class of your own has to be handed in: "
        f"load_model(path, custom_objects={{{name!r}: {name}}}), or decorated with "
        "@keras.saving.register_keras_serializable()."
    )


# -- a graph -----------------------------------------------------------------------------------------------------------


def graph_config(model: Any) -> dict[str, Any]:
    """The config of a functional model: layers, the calls between them, inputs and outputs.

    Args:
        model: a functional model.
    """
    in_graph = {id(node) for node in model._graph.nodes}
    index = {id(node): position for layer in model._operations for position, node in _kept_nodes(layer, in_graph)}

    def tensor_config(tensor: Any, shift: int = 0) -> Any:
        layer, node_index, tensor_index = tensor._keras_history
        return [layer.name, shift + index[id(layer._inbound_nodes[node_index])], tensor_index]

    def endpoint(tensor: Any) -> Any:
        # A functional sub-model has a call of its own, from its own inputs, which Keras 3 counts here and only here.
        return tensor_config(tensor, shift=int(type(tensor._keras_history.layer).__name__ in ("Functional", "Model")))

    def argument(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {"shape": list(value.shape), "dtype": value.dtype, "keras_history": tensor_config(value)},
            }
        if isinstance(value, dict):
            return {key: argument(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            return {"class_name": "__tuple__", "items": [argument(inner) for inner in value]}
        if isinstance(value, list):
            return [argument(inner) for inner in value]
        if value is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if isinstance(value, slice):
            parts = {"start": value.start, "stop": value.stop, "step": value.step}
            return {"class_name": "__slice__", "config": parts}
        if isinstance(value, np.ndarray | np.generic | torch.Tensor):
            array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
            return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": str(array.dtype)}}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise UnsupportedError(
            f"Cannot write {type(value).__name__} {value!r}, an argument of a layer call, to a file."
        )

    layer_configs = []
    for layer in model._operations:
        entry = layer_config(layer)
        entry["name"] = layer.name
        entry["inbound_nodes"] = [
            {"args": [argument(arg) for arg in node.args], "kwargs": argument(node.kwargs)}
            for _, node in _kept_nodes(layer, in_graph)
            if node.input_tensors
        ]
        layer_configs.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layer_configs,
        "input_layers": map_structure(endpoint, model._input_structure),
        "output_layers": map_structure(endpoint, model._output_structure),
    }


def _kept_nodes(layer: Any, in_graph: set[int]) -> list[tuple[int, Node]]:
    """This graph's calls of `layer`, numbered from 0."""
    return list(enumerate(node for node in layer._inbound_nodes if id(node) in in_graph))


def restore_graph(config: Mapping[str, Any], make_layer: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Make the layers and calls of a functional config, and return its symbolic (inputs, outputs).

    Args:
        config: what `graph_config` gave.
        make_layer: makes a layer from an entry of `layers`.
    """
    created: dict[str, Any] = {}
    waiting: list[tuple[Any, list[Any]]] = []
    for entry in config["layers"]:
        layer = make_layer(entry)
        name = entry.get("name") or entry.get("config", {}).get("name")
        created[name] = layer
        calls = list(entry.get("inbound_nodes") or [])
        if calls:
            waiting.append((layer, calls))

    def tensor_of(name: str, node_index: int, tensor_index: int) -> KerasTensor:
        if name not in created:
            raise InputError(f"The model config refers to a layer {name!r} that it does not contain.")
        return created[name]._inbound_nodes[node_index].outputs[tensor_index]

    def revive(value: Any) -> Any:
        if isinstance(value, Mapping):
            kind = value.get("class_name")
            if kind == "__keras_tensor__":
                return tensor_of(*value["config"]["keras_history"])
            if kind == "__tuple__":
                return tuple(revive(inner) for inner in value["items"])
            if kind == "__ellipsis__":
                return Ellipsis
            if kind == "__slice__":
                parts = value["config"]
                return slice(parts.get("start"), parts.get("stop"), parts.get("step"))
            if kind in ("__numpy__", "__tensor__"):
                return _constant(value["config"])
            return {key: revive(inner) for key, inner in value.items()}
        return [revive(inner) for inner in value] if isinstance(value, list) else value

    while waiting:
        left = []
        for layer, calls in waiting:
            done = 0
            for call in calls:
                try:
                    args, kwargs = revive(call["args"]), revive(call["kwargs"])
                except IndexError:  # it reads a call that is not there yet: next round
                    break
                layer(*args, **kwargs)
                done += 1
            if done < len(calls):
                left.append((layer, calls[done:]))
        if sum(len(calls) for _, calls in left) == sum(len(calls) for _, calls in waiting):
            names = [layer.name for layer, _ in left]
            raise InputError(f"The model config has loops or disconnected layers; unresolved: {names}.")
        waiting = left

    def endpoints(structure: Any) -> Any:
        if isinstance(structure, list) and len(structure) == 3 and isinstance(structure[0], str):
            name, node_index, tensor_index = structure
            calls = len(created[name]._inbound_nodes) if name in created else 0
            counts_own_call = isinstance(created.get(name), tuple(_model_classes.values())) and node_index >= calls
            return tensor_of(name, node_index - int(counts_own_call), tensor_index)
        if isinstance(structure, Mapping):
            return {key: endpoints(value) for key, value in structure.items()}
        return [endpoints(value) for value in structure]

    try:
        inputs, outputs = endpoints(config["input_layers"]), endpoints(config["output_layers"])
    except (IndexError, TypeError, ValueError) as error:
        raise InputError(f"The model config names inputs or outputs that its layers do not have: {error}") from error
    return _single(inputs), _single(outputs)


def _constant(config: Mapping[str, Any]) -> torch.Tensor:
    """Numbers that stand in a graph: an operand such as a mean per channel."""
    dtype = torch_dtype(config.get("dtype") or "float32")
    return torch.as_tensor(np.asarray(config["value"])).to(dtype)


def _single(structure: Any) -> Any:
    return structure[0] if isinstance(structure, list) and len(structure) == 1 else structure
