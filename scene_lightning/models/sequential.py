"""`Sequential`: one layer after another. Keras: "The Sequential model"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from scene_lightning.errors import InputError
from scene_lightning.fast import Folds, current_folds, stack_calls
from scene_lightning.layers import InputLayer
from scene_lightning.layers.base.constructor import bound_arguments
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.phase import name_scope
from scene_lightning.layers.base.symbolic import KerasTensor, is_shape
from scene_lightning.models.functional import check_shape, fitted
from scene_lightning.models.model import Model
from scene_lightning.models.serialization import layer_config, layer_from_config


class Sequential(Model):
    """A linear stack of layers: each takes the output of the one before. Keras: `keras.Sequential`.

    The shape of the inputs comes from a leading `Input`, from `input_shape=` of the first layer, from `build`, or from
    the first batch; weights are made once it is known.

    Args:
        layers: the layers in order; None for none yet: `add` appends them.
        trainable: False freezes all weights.
        name: the model's name; None makes one up: `sequential`, `sequential_1`, ….

    Raises:
        InputError: something that is no layer, or two layers of one name.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input(shape=(150, 150, 3)),
        ...     keras.layers.Conv2D(32, 3, activation="relu"),
        ...     keras.layers.GlobalAveragePooling2D(),
        ...     keras.layers.Dense(6, activation="softmax"),
        ... ])
        >>> model.count_params()
        1094
    """

    def __init__(self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name)
        self._stack: Any = nn.ModuleList()  # Any: torch types its items as bare modules
        self._input_layer: InputLayer | None = None
        self._symbolic_output: KerasTensor | None = None
        self._folds: Folds | None = None
        for layer in layers or []:
            self.add(layer)
        if not trainable:
            self.trainable = False

    # -- composing -------------------------------------------------------------------------------------------------

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Append a layer.

        Args:
            layer: the layer, or an `Input`, which must come first.
            rebuild: without effect.

        Raises:
            InputError: something that is no layer, or a name that is taken.
        """
        if isinstance(layer, KerasTensor) and layer._keras_history is not None:
            layer = layer._keras_history.layer  # model.add(Input(shape)) hands over the tensor
        if not isinstance(layer, Layer):
            raise InputError(
                f"Only layers can be added to a Sequential model; received {layer!r} "
                f"({type(layer).__name__}). Wrap a function in keras.layers.Lambda."
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._input_layer is not None:
                raise InputError("An Input must come first in a Sequential model; this one already has layers.")
            self._input_layer = layer
            return
        if any(other.name == layer.name for other in self._stack):
            raise InputError(
                f"All layers added to a Sequential model should have unique names. Name {layer.name!r} is already "
                "the name of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if not self._stack and self._input_layer is None:
            self._adopt_input_of(layer)
        self._stack.append(layer)
        if self._input_layer is not None:
            self._extend_graph(layer)

    def pop(self, rebuild: bool = True) -> Any:
        """Remove the last layer and return it.

        Args:
            rebuild: without effect.

        Raises:
            InputError: there is none.
        """
        if not self._stack:
            raise InputError("There are no layers in the model: nothing to pop.")
        layer = self._stack[-1]
        del self._stack[-1]
        if self._input_layer is not None:
            layer._inbound_nodes.clear()
            self._symbolic_output = self._stack[-1].output if self._stack else None
            self.built = bool(self._stack)
        return layer

    def _adopt_input_of(self, layer: Any) -> None:
        shape = getattr(layer, "_declared_input_shape", None)
        if shape is not None:
            self._input_layer = InputLayer(batch_shape=shape)
        elif isinstance(layer, Model) and layer.built and layer.has_symbolic_graph():
            symbol = layer.input
            self._input_layer = InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype)

    def _extend_graph(self, layer: Any) -> None:
        assert self._input_layer is not None
        start = self._symbolic_output if self._symbolic_output is not None else self._input_layer.output
        with name_scope(self):
            output = layer(start)
        if not isinstance(output, KerasTensor):
            raise InputError(
                f"Layers in a Sequential model should have one output tensor each; {layer.name!r} has several. "
                "Use the functional API."
            )
        self._symbolic_output = output
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Make the weights.

        Args:
            input_shape: the inputs' shape with the batch axis first, such as `(None, 150, 150, 3)`; None where an
                `Input` says it.

        Raises:
            InputError: no shape is known, several are given, or there are no layers.
        """
        if self._input_layer is not None and self._symbolic_output is not None:
            return
        if input_shape is None:
            raise InputError("build() needs an input shape, such as (None, 150, 150, 3), when there is no Input.")
        if not is_shape(input_shape):
            raise InputError(f"A Sequential model has one input; received the shapes {input_shape!r}.")
        if not self._stack:
            raise InputError("The model has no layers to build. Call model.add(layer) first.")
        self._input_layer = self._input_layer or InputLayer(batch_shape=(None, *tuple(input_shape)[1:]))
        for layer in self._stack:
            self._extend_graph(layer)

    # -- structure -------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        """The layers in order, without an `Input`."""
        return list(self._stack)

    def _sublayers(self) -> list[Any]:
        return self.layers

    def has_symbolic_graph(self) -> bool:
        """Whether the shape of the inputs is known, so that `input` and `output` are symbolic tensors."""
        return self._symbolic_output is not None

    @property
    def inputs(self) -> list[KerasTensor]:
        """The one symbolic input, in a list."""
        return [self.input]

    @property
    def outputs(self) -> list[KerasTensor]:
        """The one symbolic output, in a list."""
        return [self.output]

    @property
    def input(self) -> Any:
        """The symbolic input. Raises InputError before the shape is known."""
        if self._input_layer is None:
            raise InputError(f"Sequential model {self.name!r} has no defined input shape yet: call model.build(shape).")
        return self._input_layer.output

    @property
    def output(self) -> Any:
        """The symbolic output. Raises InputError before the shape is known."""
        if self._symbolic_output is None:
            raise InputError(f"Sequential model {self.name!r} has no defined outputs yet: call model.build(shape).")
        return self._symbolic_output

    # -- computing -------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the layers, each on the output of the one before.

        Args:
            inputs: a tensor `(batch, height, width, channels)`, or what the first layer takes.
            training: whether layers such as Dropout train.
            mask: without effect: layers make their own.
        """
        outputs = fitted = self._fit_input(inputs)
        try:
            for call in stack_calls(self._stack, current_folds(self, training)):
                outputs = call(outputs)
        except InputError:
            if self._input_layer is not None and isinstance(fitted, torch.Tensor):
                check_shape(self._input_layer.output.shape, fitted.shape, self.name)  # names the cause, not the layer
            raise
        return outputs

    def _fit_input(self, inputs: Any) -> Any:
        if isinstance(inputs, list | tuple) and len(inputs) == 1:
            inputs = inputs[0]
        symbol = self._input_layer.output if self._input_layer is not None else None
        if not isinstance(inputs, torch.Tensor) or symbol is None:
            return inputs
        # Heights and widths are the layers' own affair, as in Keras: a Resizing takes any.
        shape = (*(None,) * (symbol.ndim - 1), symbol.shape[-1]) if symbol.ndim > 2 else symbol.shape
        return fitted(inputs, symbol, shape, self.name)

    def _chain(self) -> tuple[list[Any], list[int | None]]:
        return self.layers, [*range(1, len(self._stack)), None] if self._stack else []

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for inputs of a shape, batch axis first.

        Args:
            input_shape: of the inputs, such as `(None, 150, 150, 3)`.
        """
        shape = tuple(input_shape)
        for layer in self._stack:
            shape = layer.compute_output_shape(shape)
        return shape

    # -- config ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """What the model is made of: its layers in order, and the inputs' shape where it is known."""
        if type(self).__init__ is not Sequential.__init__:  # it makes its layers itself
            return {**bound_arguments(self), **super().get_config()}
        stack = [self._input_layer, *self._stack] if self._input_layer is not None else list(self._stack)
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        config["layers"] = [layer_config(layer) for layer in stack]
        if self._input_layer is not None:
            config["build_input_shape"] = list(self._input_layer.output.shape)
        return config

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """Make a model from its `get_config()`, without weights.

        Args:
            config: the dict; or the list of layers that Keras 2.2 wrote.
            custom_objects: your own classes and functions by name.
        """
        if isinstance(config, list):  # Keras 2.2 wrote the bare list of layers
            config = {"layers": config}
        if cls.__init__ is not Sequential.__init__ and "layers" not in config:
            return super().from_config(config)
        model = cls(name=config.get("name"))
        for layer in config.get("layers", []):
            model.add(layer_from_config(layer, custom_objects))
        if model._input_layer is None and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        if config.get("trainable") is False:
            model.trainable = False
        return model
