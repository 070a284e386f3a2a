"""Reads the weights of TensorFlow's SavedModel folders and checkpoints, and the config where Keras 2 noted it.

The checkpoint's object graph (`_CHECKPOINTABLE_OBJECT_GRAPH`) tells which tensor is which layer's weight;
`keras_metadata.pb` (Keras 2 only; `model.export()` of Keras 3 leaves none) holds the config. Written by neither here.
Source: tensorflow/core/protobuf/trackable_object_graph.proto, tf_keras/protobuf/saved_metadata.proto.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scene_lightning.errors import FileFormatError
from scene_lightning.saving import _protobuf
from scene_lightning.saving._files import MAX_JSON_BYTES, parse_json_object, reading
from scene_lightning.saving.archive import LayerWeights, ModelArchive, OptimizerState
from scene_lightning.saving.normalize import normalize_compile_config, normalize_model_config
from scene_lightning.saving.normalize_graph import output_names
from scene_lightning.saving.optimizer_state import from_keras3_variables, from_named_variables
from scene_lightning.saving.tensor_bundle import TensorBundle

_WHAT = "a TensorFlow SavedModel folder (saved_model.pb, variables/variables.index)"
_WHAT_CHECKPOINT = "a TensorFlow checkpoint (the prefix of an .index and its .data files)"
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MAX_NODES = 500_000
_MAX_DEPTH = 60
# Children of a layer in the graph that list again what stands elsewhere, or are functions.
_NOT_LAYERS = {
    "variables", "trainable_variables", "non_trainable_variables", "regularization_losses", "keras_api", "optimizer",
    "signatures", "_all_variables", "_misc_assets", "serve",
}  # fmt: skip


@dataclass
class _Node:
    """One object of the graph: its children by name, its tensor's key, and (optimisers of Keras ≤ 2.10) its slots."""

    children: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    full_name: str = ""
    slots: list[tuple[int, str, int]] = field(default_factory=list)


def read_saved_model_dir(path: str | os.PathLike[str]) -> ModelArchive:
    """Read a SavedModel folder of TensorFlow.

    Args:
        path: the folder.

    Returns:
        Its contents: layout "ordered"; `config` is None where no Keras 2 wrote its own.

    Raises:
        FileFormatError: not such a folder, damaged, or built to harm.
    """
    folder = Path(path)
    with reading(path, _WHAT):
        bundle = TensorBundle(folder / "variables" / "variables")
        nodes = _object_graph(bundle.string(_GRAPH))
        archive = ModelArchive(layout="ordered", source="the SavedModel folder")
        metadata = _keras_metadata(folder / "keras_metadata.pb")
        if metadata is not None:
            if isinstance(metadata.get("config"), dict) and isinstance(metadata.get("class_name"), str):
                described = {key: metadata[key] for key in ("class_name", "config")}
                if isinstance(described["config"].get("layers"), list):  # a subclassed model keeps no layers there
                    archive.config = normalize_model_config(_without_tuples(described))
            training = _without_tuples(metadata.get("training_config"))
            archive.compile_config = normalize_compile_config(training, output_names(archive.config))
        _take_weights(archive, nodes, bundle)
        return archive


def read_tf_checkpoint(prefix: str | os.PathLike[str]) -> ModelArchive:
    """Read what tf.keras' `save_weights("dir/ckpt")` wrote.

    Args:
        prefix: the path without its endings, "dir/ckpt".

    Returns:
        Its weights: layout "ordered", no config.

    Raises:
        FileFormatError: not such files, damaged, built to harm, or made by TensorFlow 1's `Saver`.
    """
    with reading(prefix, _WHAT_CHECKPOINT):
        bundle = TensorBundle(prefix)
        if _GRAPH not in bundle:
            raise FileFormatError("it has no object graph, as those of TensorFlow 1. Save it from tf.keras.")
        archive = ModelArchive(layout="ordered", source="the TensorFlow checkpoint")
        _take_weights(archive, _object_graph(bundle.string(_GRAPH)), bundle)
        return archive


def _take_weights(archive: ModelArchive, nodes: list[_Node], bundle: TensorBundle) -> None:
    graph = _Graph(nodes, bundle)
    archive.weights = graph.layer(0, "", 0)
    if not archive.weights.has_weights():
        graph.list_of_variables(archive.weights)
    archive.optimizer = graph.optimizer(archive.compile_config)
    if not archive.weights.has_weights():
        raise FileFormatError("its object graph names no weights.")


class _Graph:
    """The object graph, with each variable read once."""

    def __init__(self, nodes: list[_Node], bundle: TensorBundle) -> None:
        self.nodes, self.bundle = nodes, bundle
        self.order: dict[int, None] = {}  # variables, in the order of the tree
        self._layers_seen: set[int] = set()

    def layer(self, node_id: int, path: str, depth: int) -> LayerWeights:
        """The layer at `node_id` with all below it. A shared layer appears where it is met first."""
        if depth > _MAX_DEPTH:
            raise FileFormatError("its object graph is nested too deeply.")
        self._layers_seen.add(node_id)
        layer = LayerWeights(path=path)
        children = self.nodes[node_id].children
        has_numbered = any(name.startswith("layer_with_weights-") for name in children)
        for name, child in children.items():
            if name.startswith(("layer-", "__")) or name in _NOT_LAYERS or (depth == 0 and name.startswith("_")):
                continue
            if self.nodes[child].key is not None:
                if child not in self.order:
                    layer.weight_names.append(name)
                    layer.arrays.append(self.variable(child))
            elif child not in self._layers_seen and (not has_numbered or name.startswith("layer_with_weights-")):
                below = self.layer(child, f"{path}/{name}" if path else name, depth + 1)
                if below.has_weights():
                    layer.children.append(below)
        named = next((self.nodes[child].full_name for child in children.values() if self.nodes[child].key), "")
        layer.name = named.split("/")[-2] if named.count("/") else ""
        return layer

    def list_of_variables(self, root: LayerWeights) -> None:
        """Keras 3's `export` lists variables without layers: in model order, states of random generators included."""
        listed = self.nodes[0].children.get("variables")
        if listed is None:
            return
        for child in self.nodes[listed].children.values():
            if self.nodes[child].key is not None:
                root.weight_names.append(self.nodes[child].full_name)
                root.arrays.append(self.variable(child))

    def variable(self, node_id: int) -> np.ndarray:
        self.order[node_id] = None
        return self.bundle.array(str(self.nodes[node_id].key))

    def optimizer(self, compile_config: dict[str, Any] | None) -> OptimizerState | None:
        """tf.keras 2.11+: a list `_variables`; up to 2.10: slots attached to the weights."""
        node_id = self.nodes[0].children.get("optimizer")
        if node_id is None:
            return None
        node = self.nodes[node_id]
        count = node.children.get("_iterations", node.children.get("iter"))
        if count is None or self.nodes[count].key is None:
            return None
        iterations = self.bundle.array(str(self.nodes[count].key))
        if "_variables" in node.children:
            listed = self.nodes[node.children["_variables"]].children
            numbers = sorted((int(name), child) for name, child in listed.items() if name.isdecimal())
            keys = [self.nodes[child].key for _, child in numbers if child != count]
            arrays = [self.bundle.array(key) for key in keys if key is not None]
            return from_keras3_variables([iterations, *arrays], compile_config)
        names, arrays = [], []
        by_variable = {(original, slot): value for original, slot, value in node.slots}
        for slot in dict.fromkeys(slot for _, slot, _ in node.slots):
            for variable in self.order:
                key = self.nodes[by_variable[variable, slot]].key if (variable, slot) in by_variable else None
                if key is not None:
                    names.append(f"weight/{slot}")
                    arrays.append(self.bundle.array(key))
        return from_named_variables(["iter", *names], [iterations, *arrays], compile_config)


def _object_graph(data: bytes) -> list[_Node]:
    """TrackableObjectGraph: 1 nodes {1 children {1 id, 2 name}, 2 attributes {1 name, 2 full name, 3 key}, 3 slots}."""
    nodes = []
    for key, value in _protobuf.fields(data):
        if key == 1 and isinstance(value, bytes):
            nodes.append(_node(value))
            if len(nodes) > _MAX_NODES:
                raise FileFormatError(f"its object graph has more than {_MAX_NODES} objects.")
    for node in nodes:
        targets = [*node.children.values(), *(end for first, _, last in node.slots for end in (first, last))]
        if any(not 0 <= target < len(nodes) for target in targets):
            raise FileFormatError("its object graph points outside itself.")
    if not nodes:
        raise FileFormatError("its object graph is empty.")
    return nodes


def _node(data: bytes) -> _Node:
    node = _Node()
    for key, value in _protobuf.fields(data):
        if key not in (1, 2, 3) or not isinstance(value, bytes):
            continue
        parts = dict(_protobuf.fields(value))
        if key == 1:
            node.children[_protobuf.text(parts.get(2, b""))] = _protobuf.number(parts.get(1, 0))
        elif key == 2 and parts.get(1) == b"VARIABLE_VALUE":
            node.full_name, node.key = _protobuf.text(parts.get(2, b"")), _protobuf.text(parts.get(3, b""))
        elif key == 3:
            original, value_id = _protobuf.number(parts.get(1, 0)), _protobuf.number(parts.get(3, 0))
            node.slots.append((original, _protobuf.text(parts.get(2, b"")), value_id))
    return node


def _keras_metadata(path: Path) -> dict[str, Any] | None:
    """The root's JSON in `keras_metadata.pb` (1 nodes {3 path, 4 identifier, 5 metadata}); None without the file."""
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_JSON_BYTES:
        raise FileFormatError(f"keras_metadata.pb has {path.stat().st_size} bytes; expected at most {MAX_JSON_BYTES}.")
    for key, value in _protobuf.fields(path.read_bytes()):
        if key == 1 and isinstance(value, bytes):
            parts = dict(_protobuf.fields(value))
            if parts.get(3) == b"root":
                return parse_json_object(_protobuf.text(parts.get(5, b"")), "keras_metadata.pb")
    raise FileFormatError("keras_metadata.pb has no entry for the model itself.")


def _without_tuples(value: Any) -> Any:
    """Tuples and TensorShapes, which this JSON marks as objects, as lists."""
    if isinstance(value, list):
        return [_without_tuples(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
        return _without_tuples(value["items"])
    return {key: _without_tuples(item) for key, item in value.items()}
