"""`Model(inputs, outputs)`: a graph of layer calls as one model. Keras: "The Functional API"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from scene_lightning.errors import InputError
from scene_lightning.fast import Folds, current_folds, followers, graph_calls, joined_pairs
from scene_lightning.layers import InputLayer
from scene_lightning.layers.base.constructor import bound_arguments
from scene_lightning.layers.base.dry_run import dry_run
from scene_lightning.layers.base.dtypes import as_declared
from scene_lightning.layers.base.operators import Operator
from scene_lightning.layers.base.symbolic import KerasTensor, Node, is_symbolic
from scene_lightning.models.graph import Graph, trace
from scene_lightning.models.model import Model, register_functional
from scene_lightning.models.serialization import graph_config, layer_from_config, restore_graph
from scene_lightning.tree import flatten, map_structure


class Functional(Model):
    """A model that is defined by its symbolic inputs and outputs: what `keras.Model(inputs, outputs)` gives.

    Args:
        inputs: one `Input`, or a list or dict of them (or tensors inside another model).
        outputs: one symbolic tensor, or a list or dict of them, computed from `inputs`.
        name: the model's name; None makes one up: `functional`, `functional_1`, ….
        **kwargs: `trainable` and `dtype`, as for `Layer`; Keras 1's `input` and `output`.

    Raises:
        InputError: outputs that do not depend on the inputs, or two layers of one name.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any) -> None:
        inputs = kwargs.pop("input", inputs)  # Keras 1 wrote Model(input=..., output=...)
        outputs = kwargs.pop("output", outputs)
        for role, structure in (("inputs", inputs), ("outputs", outputs)):
            for leaf in flatten(structure):
                if not isinstance(leaf, KerasTensor):
                    raise InputError(
                        f"All `{role}` values must be symbolic tensors, from Input() or a layer called on one. "
                        f"Received {leaf!r}."
                    )
        trainable = kwargs.pop("trainable", None)
        super().__init__(name=name, **kwargs)
        self._adopt_graph(inputs, outputs)
        if trainable is False:
            self.trainable = False

    def _adopt_graph(self, inputs: Any, outputs: Any) -> None:
        self._input_structure, self._output_structure = inputs, outputs
        self._graph: Graph = trace(flatten(inputs), flatten(outputs))
        self._graph_layers = nn.ModuleList(self._graph.layers)
        self._nodes = [n for n in self._graph.nodes if not (n.is_input and isinstance(n.layer, InputLayer))]
        self._readers = [_reader(node) for node in self._nodes]
        self._followers = followers(self._nodes, self.outputs)
        self._joined = joined_pairs(self._nodes, self._followers)
        self._folds: Folds | None = None
        self.built = True

    @property
    def _nodes_by_depth(self) -> dict[int, list[Node]]:
        return self._graph.nodes_by_depth

    @property
    def layers(self) -> list[Any]:
        """The layers in the graph, in Keras' order."""
        return [layer for layer in self._graph_layers if not isinstance(layer, Operator)]

    @property
    def _operations(self) -> list[Any]:
        return list(self._graph_layers)

    def _sublayers(self) -> list[Any]:
        return self.layers

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, flat."""
        return flatten(self._input_structure)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return flatten(self._output_structure)

    @property
    def input_shape(self) -> Any:
        """The shape of the input, batch axis included; a list of shapes for several."""
        return _unpacked([tuple(symbol.shape) for symbol in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, batch axis included; a list of shapes for several."""
        return _unpacked([tuple(symbol.shape) for symbol in self.outputs])

    @property
    def input(self) -> Any:
        """The symbolic input(s), in the structure they were given in."""
        return self._input_structure

    @property
    def output(self) -> Any:
        """The symbolic output(s), in the structure they were given in."""
        return self._output_structure

    def _output_names(self) -> list[str] | None:
        if isinstance(self._output_structure, dict):
            return list(self._output_structure)
        names = [symbol._keras_history.layer.name for symbol in self.outputs if symbol._keras_history is not None]
        return names if len(names) > 1 else None

    def build(self, input_shape: Any) -> None:
        """Nothing to do: the layers were built when they were called on symbolic tensors.

        Args:
            input_shape: without effect.
        """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run every layer call of the graph once.

        Args:
            inputs: a tensor, or a list or dict of them, as the graph's inputs are.
            training: whether layers such as Dropout train.
            mask: without effect: layers make their own.
        """
        values: dict[int, Any] = dict(self._bind_inputs(inputs))

        def value_of(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        folds = current_folds(self, training)
        for node, read, call in zip(
            self._nodes, self._readers, graph_calls(self._nodes, self._joined, folds), strict=True
        ):
            if read is None:
                args, kwargs = map_structure(value_of, node.args), map_structure(value_of, node.kwargs)
                results = call(*args, **kwargs)
            else:
                results = call(read(node, values))
            if isinstance(results, torch.Tensor):
                results = (results,)
            for symbol, result in zip(node.outputs, flatten(results), strict=True):
                values[id(symbol)] = result
        return _unpacked(map_structure(value_of, self._output_structure))

    def _chain(self) -> tuple[list[Any], list[int | None]]:
        return [node.layer for node in self._nodes], self._followers

    def _bind_inputs(self, inputs: Any) -> list[tuple[int, Any]]:
        symbols = self.inputs
        if isinstance(inputs, dict) and not isinstance(self._input_structure, dict):
            by_name = {_input_name(symbol): symbol for symbol in symbols}
            missing = sorted(set(by_name) - set(inputs))
            if missing:
                raise InputError(f"Missing data for input(s) {missing}. Expected the keys {sorted(by_name)}.")
            return [(id(symbol), self._fit_to(symbol, inputs[name])) for name, symbol in by_name.items()]
        given = flatten(inputs)
        if len(given) != len(symbols):
            raise InputError(
                f'Model "{self.name}" expects {len(symbols)} input(s), but it received {len(given)} tensor(s).'
            )
        return [(id(symbol), self._fit_to(symbol, value)) for symbol, value in zip(symbols, given, strict=True)]

    def _fit_to(self, symbol: KerasTensor, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return fitted(value, symbol, symbol.shape, self.name)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs for inputs of a shape, batch axis first.

        Args:
            input_shape: of the inputs, such as `(None, 150, 150, 3)`; a list for several.
        """
        if not is_symbolic(self._output_structure):
            return super().compute_output_shape(input_shape)
        known = all(None not in symbol.shape[1:] for symbol in self.outputs)
        if not known:
            return dry_run(self, input_shape)
        return _unpacked(map_structure(lambda t: t.shape, self._output_structure))

    def get_config(self) -> dict[str, Any]:
        """What the model is made of: its layers, the calls between them, inputs and outputs."""
        if type(self).__init__ not in (Functional.__init__, Model.__init__):  # it makes its graph itself
            return {**bound_arguments(self), **super().get_config()}
        return graph_config(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        """Make a model from its `get_config()`, without weights.

        Args:
            config: the dict.
            custom_objects: your own classes and functions by name.
        """
        if "layers" not in config or "input_layers" not in config:
            return super().from_config(config)
        inputs, outputs = restore_graph(config, lambda layer: layer_from_config(layer, custom_objects))
        return cls(inputs=inputs, outputs=outputs, name=config.get("name"), trainable=config.get("trainable", True))


def _reader(node: Node) -> Callable[[Node, dict[int, Any]], Any] | None:
    """What takes a call's only argument, a tensor or a list of some, from the values by symbol; None for others."""
    if node.kwargs or len(node.args) != 1:
        return None
    (argument,) = node.args
    if isinstance(argument, KerasTensor):
        return _the_tensor
    if type(argument) is list and argument and all(isinstance(leaf, KerasTensor) for leaf in argument):
        return _the_list
    return None


def _the_tensor(node: Node, values: dict[int, Any]) -> Any:
    return values[id(node.args[0])]


def _the_list(node: Node, values: dict[int, Any]) -> list[Any]:
    return [values[id(symbol)] for symbol in node.args[0]]


def _unpacked(structure: Any) -> Any:
    """`Model(inputs, [output])` gives `output`, not a list of one, as in every Keras."""
    is_one = isinstance(structure, list | tuple) and len(structure) == 1 and not isinstance(structure, torch.Size)
    return structure[0] if is_one else structure


def _input_name(symbol: KerasTensor) -> str:
    history = symbol._keras_history
    return history.layer.name if history is not None else symbol.name


def fitted(batch: torch.Tensor, symbol: KerasTensor, shape: Any, model_name: str) -> torch.Tensor:
    """A batch as an input of a model takes it. Raises InputError where it does not fit.

    Args:
        batch: the batch; grey images may lack their channel axis, as in Keras.
        symbol: the input.
        shape: what the batch's shape must be; None where any length goes.
        model_name: for the message.
    """
    if batch.ndim == symbol.ndim - 1 and symbol.shape[-1] == 1:
        batch = batch.unsqueeze(-1)
    check_shape(shape, batch.shape, model_name)
    return as_declared(batch, symbol.dtype)


def check_shape(expected: Any, received: Any, model_name: str) -> None:
    """Raise InputError, with a hint about NHWC, when a batch does not fit the model's input.

    Args:
        expected: the shape of the model's input, batch axis first; None where any length goes.
        received: the shape of the batch.
        model_name: for the message.
    """
    expected, received = tuple(expected), tuple(received)
    fits = len(expected) == len(received) and all(
        e is None or e == f for e, f in zip(expected[1:], received[1:], strict=True)
    )
    if fits:
        return
    hint = ""
    if len(received) == 4 and len(expected) == 4 and received[1] == expected[3] and received[1] in (1, 3, 4):
        hint = " The batch looks like NCHW; images are NHWC here, as in Keras: permute(0, 2, 3, 1)."
    elif len(received) == len(expected) - 1:
        hint = " A batch axis seems to be missing: np.expand_dims(x, 0)."
    raise InputError(f'Model "{model_name}" expects inputs of shape {expected}, but received {received}.{hint}')


register_functional(Functional)
