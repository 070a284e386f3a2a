"""Finds the layers and calls between symbolic inputs and outputs, in Keras' order.

The order matters: it is the order of `model.layers`, of `get_weights()` and of the variables in Keras' files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import KerasTensor, Node, node_of


@dataclass(frozen=True)
class Graph:
    """What lies between a model's inputs and outputs.

    Attributes:
        nodes_by_depth: calls by their distance to the outputs; the greatest depth runs first.
        layers: every layer once, deepest first, ties in order of discovery (Keras' `model.layers`).
    """

    nodes_by_depth: dict[int, list[Node]]
    layers: list[Any]

    @property
    def nodes(self) -> list[Node]:
        """The calls in an order in which they can run."""
        return [node for depth in sorted(self.nodes_by_depth, reverse=True) for node in self.nodes_by_depth[depth]]


def trace(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> Graph:
    """Find the layers and calls between symbolic inputs and outputs.

    Args:
        inputs: the symbolic inputs.
        outputs: the symbolic outputs, computed from them.
    """
    nodes, discovery = _depth_first(inputs, outputs)
    in_graph = {id(node) for node in nodes}
    node_depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    layers = {id(node.layer): node.layer for node in nodes}
    input_ids = {id(tensor) for tensor in inputs}
    for node in reversed(nodes):
        depth = max(node_depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        layer_depth[id(node.layer)] = node_depth[id(node)] = depth
        for tensor in node.input_tensors:
            if id(tensor) in input_ids and not node_of(tensor).is_input:
                continue
            parent = node_of(tensor)
            if id(parent) in in_graph:
                node_depth[id(parent)] = max(depth + 1, node_depth.get(id(parent), 0))
    for tensor in inputs:  # an input that no output depends on
        node = node_of(tensor)
        if node.is_input and id(node) not in in_graph:
            nodes.append(node)
            layers[id(node.layer)] = node.layer
            node_depth[id(node)] = layer_depth[id(node.layer)] = 0
            discovery[id(node.layer)] = -1
    nodes_by_depth: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        nodes_by_depth[node_depth[id(node)]].append(node)
    ordered = sorted(layers.values(), key=lambda layer: (-layer_depth[id(layer)], discovery[id(layer)]))
    _check_connected(inputs, nodes_by_depth)
    _check_names(ordered)
    return Graph(dict(nodes_by_depth), ordered)


def _depth_first(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> tuple[list[Node], dict[int, int]]:
    input_ids = {id(tensor) for tensor in inputs}
    finished: list[Node] = []
    done: set[int] = set()
    discovery: dict[int, int] = {}
    # An explicit stack: a ResNet is deeper than Python's recursion limit likes.
    stack: list[tuple[KerasTensor, bool]] = [(tensor, False) for tensor in reversed(outputs)]
    while stack:
        tensor, children_done = stack.pop()
        node = node_of(tensor)
        if children_done:
            if id(node) not in done:
                done.add(id(node))
                finished.append(node)
            continue
        if id(node) in done or (not node.is_input and id(tensor) in input_ids):
            continue
        discovery.setdefault(id(node.layer), len(discovery))
        stack.append((tensor, True))
        stack.extend((parent, False) for parent in reversed(node.input_tensors))
    return finished, discovery


def _check_connected(inputs: list[KerasTensor], nodes_by_depth: dict[int, list[Node]]) -> None:
    known = {id(tensor) for tensor in inputs}
    for depth in sorted(nodes_by_depth, reverse=True):
        for node in nodes_by_depth[depth]:
            for tensor in node.input_tensors:
                if id(tensor) not in known:
                    raise InputError(
                        f"Graph disconnected: cannot find parent for tensor {tensor} at layer {node.layer.name!r}. "
                        "Every output must be computed from the inputs given to Model(inputs, outputs)."
                    )
            if node.is_input and id(node.outputs[0]) not in known:
                raise InputError(
                    f"Graph disconnected: {node.layer.name!r} is an input that is not among the inputs given to "
                    "Model(inputs, outputs)."
                )
            known.update(id(tensor) for tensor in node.outputs)


def _check_names(layers: Iterable[Any]) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise InputError(
                f'The name "{layer.name}" is used more than once in the model. All layer names should be unique: '
                "give one of the layers another name."
            )
        seen.add(layer.name)
