"""Where a layer stands in functional models: the symbolic tensors and shapes of its calls."""

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
        """The symbolic input of the first call, or a list of them."""
        return self.get_input_at(0)

    @property
    def output(self) -> Any:
        """The symbolic output of the first call; what a feature extractor is cut at."""
        return self.get_output_at(0)

    def get_input_at(self, node_index: int) -> Any:
        """Give the symbolic input of one of the layer's calls, as in Keras 2.

        An `InputLayer`'s is its output: `K.function([model.layers[0].input], ...)`; Keras 3 gives [].

        Args:
            node_index: number of the call, counted from 0.

        Raises:
            InputError: there was no such call.
        """
        node = self._node_at(node_index)
        tensors = node.outputs if node.is_input else node.input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    def get_output_at(self, node_index: int) -> Any:
        """Give the symbolic output of one of the layer's calls, as in Keras 2.

        Args:
            node_index: number of the call, counted from 0.

        Raises:
            InputError: there was no such call.
        """
        return self._node_at(node_index).output_structure

    def get_input_shape_at(self, node_index: int) -> Any:
        """Give the shape of `get_input_at(node_index)`.

        Args:
            node_index: number of the call, counted from 0.

        Raises:
            InputError: there was no such call.
        """
        return shapes_of(self.get_input_at(node_index))

    def get_output_shape_at(self, node_index: int) -> Any:
        """Give the shape of `get_output_at(node_index)`.

        Args:
            node_index: number of the call, counted from 0.

        Raises:
            InputError: there was no such call.
        """
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
