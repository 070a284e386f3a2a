"""A layer that was called on symbolic tensors in; the tensors and shapes of those calls out. Keras: `Layer.output`."""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import Node, shapes_of


class GraphAccess:
    """The places of a layer in functional models."""

    name: str
    _inbound_nodes: list[Node]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the layer alone; the calls between layers travel with their model."""
        return {**self.__dict__, "_inbound_nodes": []}

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        return self.get_input_at(0)

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self.get_output_at(0)

    def get_input_at(self, node_index: int) -> Any:
        """The symbolic input of one of the calls, counted from 0. Keras 2: `Layer.get_input_at`.

        An `InputLayer`'s is its output, as in Keras 2: `K.function([model.layers[0].input], ...)`; Keras 3 gives [].
        """
        node = self._node_at(node_index)
        tensors = node.outputs if node.is_input else node.input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    def get_output_at(self, node_index: int) -> Any:
        """The symbolic output of one of the calls, counted from 0. Keras 2: `Layer.get_output_at`."""
        return self._node_at(node_index).output_structure

    def get_input_shape_at(self, node_index: int) -> Any:
        """The shape of `get_input_at(node_index)`."""
        return shapes_of(self.get_input_at(node_index))

    def get_output_shape_at(self, node_index: int) -> Any:
        """The shape of `get_output_at(node_index)`."""
        return shapes_of(self.get_output_at(node_index))

    def _node_at(self, node_index: int) -> Node:
        if not self._inbound_nodes:
            raise InputError(
                f"Layer {self.name!r} has never been called on a symbolic tensor, so it has no input or output. "
                "Give the model an Input, or build it with model.build((None, height, width, channels))."
            )
        if not -len(self._inbound_nodes) <= node_index < len(self._inbound_nodes):
            raise InputError(
                f"Layer {self.name!r} has been called {len(self._inbound_nodes)} time(s); "
                f"there is no call {node_index}."
            )
        return self._inbound_nodes[node_index]

    @property
    def input_shape(self) -> Any:
        """The shape of `input`, batch axis included."""
        return shapes_of(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of `output`, batch axis included."""
        return shapes_of(self.output)
