"""Layers that most networks are made of: dense products, activations, tables of vectors, and functions as layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.arguments import known_axis, positive_int
from scene_lightning.layers.base.dry_run import dry_run
from scene_lightning.layers.base.functions import FunctionConfig, function_config, function_from_config, plain
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    ShapeLike,
)


class Dense(StandardLayer):
    """Multiply the last axis by a learned matrix: a fully connected layer.

    outputs = activation(inputs · kernel + bias), with a kernel of shape (features, units).

    Args:
        units: number of outputs, e.g. the number of classes in the last layer.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        use_bias: whether a learned number is added to each output channel.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss; None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, ..., features), most often (batch, features).

    Output shape:
        (batch, ..., units).

    Raises:
        InputError: impossible values, or a number of features that is not known.
        UnsupportedError: Keras' `lora_rank` and `quantization_config`.

    Example:
        >>> features = torch.zeros(8, 512)
        >>> keras.layers.Dense(6, activation="softmax")(features).shape
        torch.Size([8, 6])
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        refuse(kwargs, "quantization_config", "lora_rank")
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(units, "units")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: ShapeLike) -> None:
        features = known_axis(-1, input_shape)
        self.kernel = self._add_named_weight("kernel", (features, self.units))
        self.bias = self._add_named_weight("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.activation(self.project(inputs, self.kernel, self.bias))

    @staticmethod
    def project(inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The outputs before the activation."""
        # The kernel's transpose is a view, and F.linear multiplies by it without a copy.
        return F.linear(as_float(inputs), kernel.t(), bias)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return (*input_shape[:-1], self.units)


def refuse(kwargs: dict[str, Any], *names: str) -> None:
    """Take Keras' arguments `names` out of `kwargs`. Raises UnsupportedError when one of them asks for something.

    Args:
        kwargs: keyword arguments of a layer's constructor; changed in place.
        *names: the arguments that Keras has and this package does not.
    """
    for name in names:
        if kwargs.pop(name, None):
            raise UnsupportedError(f"{name} is not supported: train in float32 or mixed precision, without it.")


class Activation(StandardLayer):
    """Apply an activation function.

    Args:
        activation: name ("relu"), function or layer.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        UnknownNameError: a name that is none; the nearest one is suggested.
    """

    def __init__(self, activation: ActivationLike, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.activation(as_float(inputs))

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return tuple(input_shape)


class Identity(Layer):
    """Give the inputs back unchanged.

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.
    """

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: ShapeLike) -> Any:
        return input_shape


class Lambda(Layer):
    """Apply a function of your own.

    For short expressions without weights. In a model file the function stands as Keras writes it, but nothing in a file
    is run here: loading takes the function from `custom_objects`, by its name or that of the layer.

    Args:
        function: takes the inputs, and `training` if it has such an argument.
        output_shape: shape of the outputs without batch axis, or a function of the input's shape; None: found by
            running `function` on zeros.
        mask: must be None: masks belong to sequence models.
        arguments: further keyword arguments of `function`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor, or a list or dict of them.
        training: given on to `function` if it takes it.

    Raises:
        InputError: `function` cannot be called.
        UnsupportedError: `mask` is given.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: ShapeLike | Callable[[Any], Any] | None = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise InputError(f"Lambda needs a function; received {function!r}.")
        if mask is not None:
            raise UnsupportedError("Lambda(mask=) is not supported: masks belong to sequence models.")
        self.function = function
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        takes = inspect.signature(self.function).parameters if callable(self.function) else {}
        keywords = {**self.arguments, **({"training": training} if "training" in takes else {})}
        return self.function(inputs, **keywords)

    def compute_output_shape(self, input_shape: ShapeLike) -> Any:
        if self._output_shape is None:
            return dry_run(self, input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch = input_shape[0] if input_shape and not isinstance(input_shape[0], tuple | list) else None
        return (batch, *self._output_shape)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": function_config(self.function, self.name)}
        if callable(self._output_shape):
            config["output_shape"] = function_config(self._output_shape, self.name)
        elif self._output_shape is not None:
            config["output_shape"] = list(self._output_shape)
        return {**config, "arguments": plain(self.arguments, self.name)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from its config. Raises UnsupportedError for a function that has to be handed in."""
        given = {key: config[key] for key in ("name", "trainable", "dtype", "arguments") if config.get(key) is not None}
        shape = config.get("output_shape")
        if isinstance(shape, FunctionConfig):
            shape = shape.function
        elif isinstance(shape, Mapping) or config.get("output_shape_type") in ("lambda", "function"):
            shape = None  # a function in a file: what it said is found by a dry run
        elif isinstance(shape, list):
            shape = tuple(shape)
        function = function_from_config(config.get("function"), str(config.get("name", "lambda")))
        return cls(function, output_shape=shape, **given)


class Embedding(StandardLayer):
    """Look whole numbers up in a learned table of vectors.

    Args:
        input_dim: number of rows of the table: the largest number that is looked up, plus 1.
        output_dim: length of each vector.
        embeddings_initializer: how the table's first values are made; uniform between -0.05 and 0.05.
        embeddings_regularizer: penalty on the table, added to the loss: "l2", an object or a function; None: none.
        embeddings_constraint: what is applied to the table after each training step; None: nothing.
        mask_zero: must be false: masks belong to sequence models.
        **kwargs: name, dtype and trainable, as for `Layer`; Keras 2's `input_length` changes nothing.

    Input shape:
        (batch, ...), whole numbers from 0 to input_dim - 1.

    Output shape:
        (batch, ..., output_dim).

    Raises:
        InputError: sizes that are no positive whole numbers.
        UnsupportedError: `mask_zero`, and Keras' `lora_rank` and `quantization_config`.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        refuse(kwargs, "quantization_config", "lora_rank")
        kwargs.pop("input_length", None)  # Keras 2: a declaration that the input shape now makes
        super().__init__(**kwargs)
        if mask_zero:
            raise UnsupportedError("Embedding(mask_zero=True) is not supported: masks belong to sequence models.")
        self.input_dim = positive_int(input_dim, "input_dim")
        self.output_dim = positive_int(output_dim, "output_dim")
        self._set_options("embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint)
        self.mask_zero = False

    def build(self, input_shape: ShapeLike) -> None:
        self.embeddings = self._add_named_weight("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return F.embedding(inputs.long(), self.embeddings)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return (*input_shape, self.output_dim)


__all__ = ["Activation", "Dense", "Embedding", "Identity", "Lambda"]
