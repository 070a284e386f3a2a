"""Brings the graph of a functional model (`inbound_nodes`), as Keras 2 or 3 wrote it, to Keras 3's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from scene_lightning.errors import FileFormatError

# Called on a list even when it has one element.
_MERGING = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}
_IDLE_KEYWORDS = ("mask", "training")


def inbound_nodes(nodes: Any, class_name: str) -> list[dict[str, Any]]:
    """Bring the calls of a layer to Keras 3's form: {"args": […], "kwargs": {…}}, tensors as `__keras_tensor__` dicts.

    Keras 2: `[[["conv2d", 0, 0, {}]], …]`, one list of tensors per call, the call's keywords in the last place of the
    first. tf.keras writes a lone tensor, a list of tensors and keyword tensors in the same way.

    Args:
        nodes: the calls, in the form of Keras 2 or 3.
        class_name: the layer's class: merging layers take lists.
    """
    if not isinstance(nodes, list):
        raise FileFormatError(f"inbound_nodes should be a list; received {nodes!r:.120}.")
    return [_node(node, class_name) for node in nodes]


def endpoints(value: Any, *, keras2: bool = False) -> Any:
    """Bring `input_layers` or `output_layers` to Keras 3's form: [name, node, tensor], or a list or dict of them.

    Keras 2 wrote a lone tensor as a list of one, for which Keras 3's model would return a list.

    Args:
        value: what the config holds.
        keras2: whether Keras 2 wrote it.
    """
    if isinstance(value, dict):
        return {key: endpoints(item) for key, item in value.items()}
    if keras2 and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, list):
        raise FileFormatError(f"input_layers and output_layers should be lists; received {value!r:.120}.")
    if is_reference(value):
        return list(value[:3])
    return [endpoints(item) for item in value]


def output_names(config: dict[str, Any] | None) -> list[str]:
    """A functional model's outputs as tf.keras names them in its logs; [] for other models.

    Args:
        config: a model's dict, or None.
    """
    inner = (config or {}).get("config")
    ends = inner.get("output_layers") if isinstance(inner, dict) else None
    keys = list(ends) if isinstance(ends, dict) else []
    return keys + [end[0] for end in _leaves(ends)]


def written_by_keras2(layers: list[Any]) -> bool:
    """Whether any layer's calls are in Keras 2's form.

    Args:
        layers: the layers' dicts of a functional model.
    """
    nodes = [layer.get("inbound_nodes") for layer in layers if isinstance(layer, dict)]
    return any(isinstance(node, list) for calls in nodes if isinstance(calls, list) for node in calls)


def rename_references(config: dict[str, Any], names: Mapping[str, str]) -> None:
    """Let every reference to a layer of the graph follow its new name. In place.

    Args:
        config: config of a functional model.
        names: old name of a layer → new name.
    """
    references = [_leaves(config.get(key)) for key in ("input_layers", "output_layers")]
    references += [_histories(layer["inbound_nodes"]) for layer in config["layers"]]
    for reference in (reference for group in references for reference in group):
        reference[0] = names.get(reference[0], reference[0])


def count_calls_from_zero(config: dict[str, Any], *, keras2: bool) -> None:
    """Let references to a sub-model's first call in this graph say 0, as for any layer. In place.

    A sub-model built from Input tensors has a call of its own before the graph's. Keras 2 counts it wherever the
    sub-model is referred to; Keras 3 counts it only for functional ones, and only in `input_layers`/`output_layers`.

    Args:
        config: config of a functional model.
        keras2: whether Keras 2 wrote it.
    """
    shifted = {
        layer.get("name") for layer in config["layers"] if _has_own_call(layer["class_name"], layer["config"], keras2)
    }
    references = [_leaves(config.get(key)) for key in ("input_layers", "output_layers")]
    if keras2:
        references += [_histories(layer["inbound_nodes"]) for layer in config["layers"]]
    for reference in (reference for group in references for reference in group):
        if reference[0] in shifted and reference[1] > 0:
            reference[1] -= 1


def count_calls_as_keras3(config: dict[str, Any]) -> None:
    """Undo `count_calls_from_zero` for writing, on the endpoints of a functional model. In place.

    Args:
        config: config of a functional model.
    """
    calls = {
        layer.get("name"): len(layer.get("inbound_nodes", []))
        for layer in config["layers"]
        if layer.get("class_name") in ("Functional", "Model")
    }
    for key in ("input_layers", "output_layers"):
        ends = _leaves(config.get(key))
        for name, count in calls.items():
            ours = [end for end in ends if end[0] == name]
            if ours and max(end[1] for end in ours) < count:  # else they already count Keras' way
                for end in ours:
                    end[1] += 1


def _has_own_call(class_name: str, config: dict[str, Any], keras2: bool) -> bool:
    if class_name == "Functional":
        return True
    layers = config.get("layers") or [{}]
    return keras2 and class_name == "Sequential" and layers[0].get("class_name") == "InputLayer"


def _leaves(value: Any) -> list[list[Any]]:
    """The [name, node, tensor] references in an endpoint structure."""
    if is_reference(value):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [leaf for part in parts for leaf in _leaves(part)]


def _histories(value: Any) -> list[list[Any]]:
    """The `keras_history` lists anywhere in inbound nodes."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            history = config.get("keras_history") if isinstance(config, dict) else None
            return _leaves(history)
        return [history for part in value.values() for history in _histories(part)]
    return [history for part in value for history in _histories(part)] if isinstance(value, list) else []


def _node(node: Any, class_name: str) -> dict[str, Any]:
    if isinstance(node, dict):  # Keras 3
        args, keywords = node.get("args"), node.get("kwargs")
        if not isinstance(args, list) or not isinstance(keywords, dict):
            raise FileFormatError(f"an inbound node should have args and kwargs; received {node!r:.120}.")
        return {"args": args, "kwargs": _kept(keywords)}
    if is_reference(node):  # tf.keras: a call on one tensor, not wrapped in a list
        node = [node]
    if not isinstance(node, list) or not node:
        raise FileFormatError(f"an inbound node should be a list of tensors; received {node!r:.120}.")
    tensors = [tensor(reference) for reference in node]
    given = node[0][3] if len(node[0]) > 3 else {}
    if not isinstance(given, dict):
        raise FileFormatError(f"a call's keywords should be an object; received {given!r:.120}.")
    keywords = {key: tensor(value) if is_reference(value) else value for key, value in _kept(given).items()}
    lone = len(tensors) == 1 and class_name not in _MERGING
    return {"args": tensors if lone else [tensors], "kwargs": keywords}


def _kept(keywords: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keywords.items() if not (key in _IDLE_KEYWORDS and value is None)}


def is_reference(value: Any) -> TypeGuard[list[Any]]:
    """Whether this is [layer, node, tensor] or [layer, node, tensor, keywords].

    Args:
        value: anything from a config.
    """
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(type(number) is int for number in value[1:3])
    )


def tensor(reference: Any) -> dict[str, Any]:
    """Make Keras 3's `__keras_tensor__` dict of a reference.

    Args:
        reference: [layer, node, tensor], perhaps with keywords.
    """
    if not is_reference(reference) or reference[1] < 0 or reference[2] < 0:
        raise FileFormatError(f"an inbound tensor should be [layer, node, tensor]; received {reference!r:.120}.")
    # Keras 3 wants a shape to be there, and goes by the history alone; Keras 2 did not write one.
    config = {"shape": [None], "dtype": "float32", "keras_history": list(reference[:3])}
    return {"class_name": "__keras_tensor__", "config": config}
