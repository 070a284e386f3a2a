"""The base class of every layer: Keras' life cycle on top of `torch.nn.Module`.

A layer is configured in `__init__`, gets its weights in `build` when its input shape is first known, and computes in
`call`. Called on a `KerasTensor` it records a graph node instead. Image tensors are NHWC, as in Keras.
"""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from scene_lightning import constraints, initializers, regularizers
from scene_lightning._naming import auto_name
from scene_lightning._registry import did_you_mean, refuse_unknown
from scene_lightning._settings import dtype_name, torch_dtype
from scene_lightning.errors import InputError, UnknownArgumentError
from scene_lightning.layers.base.constructor import (
    OF_ADD_WEIGHT,
    OF_EVERY_LAYER,
    OF_OTHER_BACKENDS,
    bound_arguments,
    declared_input_shape,
    signature_names,
)
from scene_lightning.layers.base.dry_run import dry_run, shape_or_value
from scene_lightning.layers.base.dtypes import computed_in
from scene_lightning.layers.base.graph_access import GraphAccess
from scene_lightning.layers.base.phase import name_scope, nested_call, state, training_phase
from scene_lightning.layers.base.placement import to_tensors, to_weights, weights_to_inputs
from scene_lightning.layers.base.policy import HasPolicy
from scene_lightning.layers.base.symbolic import (
    InputSpec,
    KerasTensor,
    Node,
    flatten,
    is_symbolic,
    map_structure,
    record_node,
    shapes_of,
)
from scene_lightning.layers.base.tracking import Tracking, WeightSpec, clear_added_losses, spend_budget
from scene_lightning.layers.base.types import ConstraintLike, DTypeLike, InitializerLike, RegularizerLike, ShapeLike
from scene_lightning.layers.base.variable import Variable


class Layer(HasPolicy, GraphAccess, Tracking, nn.Module):
    """The base class of all layers, to make your own from.

    A subclass keeps its settings in `__init__`, makes its weights in `build(input_shape)` with `add_weight`, and
    computes in `call(inputs)`; a `training` argument of `call` says whether the model is in training. It is a
    `torch.nn.Module` too.

    Args:
        activity_regularizer: penalty on the outputs, divided by the batch size and added to the loss: "l2", an object
            or a function; None: none.
        trainable: whether training changes the weights.
        dtype: dtype of the computation: a name, a torch dtype or a `DTypePolicy`; None: the global policy's. Under
            mixed precision "float32" keeps this layer exact.
        autocast: taken as Keras takes it; changes nothing here.
        name: name of the layer; by default the class's in snake case, with a number where there are several.
        **kwargs: `input_shape`, shape of one sample without the batch axis, for the first layer of a Sequential model
            (also `batch_input_shape` and `input_dim`), and `weights`, the first values: Keras 2's arguments.

    Raises:
        InputError: a name that is no string.
        UnknownArgumentError: another keyword argument.

    Example:
        >>> class Scale(keras.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> Scale()(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    _random_when_called_bare = False  # the Random* layers: `layer(x)` stays random, as in Keras
    _takes_training: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:  # layer.build(shape), called by hand, must not be followed by a second build
            cls.build = _marking_built(cls.build)  # type: ignore[method-assign]
        if "call" in cls.__dict__ and "forward" not in cls.__dict__ and cls.forward.__code__ is Layer.forward.__code__:
            cls.forward = _named_as(cls.call)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: DTypeLike = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self._init_tracking()
        self._name = name or auto_name(type(self).__name__)
        if not isinstance(self._name, str):
            raise InputError(f"A layer's name must be a string; received {name!r}.")
        self._trainable = bool(trainable)
        self._init_policy(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.input_spec: InputSpec | None = None
        self.built = False
        self._inbound_nodes: list[Node] = []
        self._added_losses: list[torch.Tensor] = []
        self._build_shape: Any = None
        self._declared_input_shape = declared_input_shape(kwargs)
        initial = kwargs.pop("weights", None)  # Keras 2: Dense(..., weights=[kernel, bias])
        self._initial_weights = initial
        kwargs.pop("dynamic", None)  # Keras 2: not as a graph of TensorFlow's; nothing is one here
        if kwargs:
            own = signature_names(type(self))
            hints = "".join(did_you_mean(word, [*own, *OF_EVERY_LAYER]) for word in sorted(kwargs))
            raise UnknownArgumentError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {sorted(kwargs)}.{hints} "
                f"Expected those in its signature: {own}."
            )

    # -- to be overridden ------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights; called once, before the first call.

        Args:
            input_shape: shape of the inputs with the batch axis, None where a side is not known; a list of shapes where
                there are several inputs.
        """

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. Without a `call` of its own a layer gives back its inputs, as until Keras 2.

        Args:
            inputs: tensor, or a list or dict of them.
            *args: further inputs.
            **kwargs: further inputs; `training` if the layer's own `call` names it.

        Returns:
            The outputs: a tensor, or a structure of them.
        """
        warnings.warn(
            f"{type(self).__name__} defines no call(self, inputs), so it changes nothing: its inputs are its outputs.",
            UserWarning,
            stacklevel=2,
        )
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give the shape of the outputs; by default found by running `call` once on zeros.

        Args:
            input_shape: shape of the inputs with the batch axis, None where a side is not known.

        Returns:
            The shape with the batch axis, None where a side is not known.
        """
        return dry_run(self, input_shape)

    # -- calling ---------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Build if need be, then `call`; on a `KerasTensor`, record the call instead. `layer(inputs)` runs it.

        Args:
            *args: what `call` takes.
            **kwargs: what `call` takes.

        Returns:
            What `call` gives, or symbolic tensors of that shape.
        """
        if not args or (len(args) > 1 and self._call_takes_training()):
            args, kwargs = self._by_position(args, kwargs)
        if is_symbolic(args) or is_symbolic(kwargs):
            return self._symbolic_call(args, kwargs)
        return self.run(self.call, *args, **kwargs)

    def _by_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The inputs by position and `training` and what follows it by name, however the caller gave them."""
        names = list(inspect.signature(self.call).parameters)
        if not args and names and names[0] in kwargs:
            return (kwargs[names[0]],), {name: value for name, value in kwargs.items() if name != names[0]}
        at = names.index("training") if "training" in names else len(args)
        named = {name: value for name, value in zip(names[at:], args[at:], strict=False) if value is not None}
        return args[:at], {**named, **kwargs}

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Do around a function what a call of the layer does around `call`: build, checks, dtype, phase, penalties.

        Args:
            function: `call`, or something of the layer's that stands for it and takes the same arguments.
            *args: its inputs.
            **kwargs: its further arguments.

        Returns:
            What `function` gives.
        """
        if any(isinstance(arg, np.ndarray) for arg in args) or not isinstance(args[0], torch.Tensor):
            args = to_tensors(self, args)
        if not self.built:
            self._build_once(shapes_of(args[0]), beside=args[0])
        if self.input_spec is not None and isinstance(args[0], torch.Tensor):
            self.input_spec.check(tuple(args[0].shape), self.name)
        explicit = kwargs.pop("training", None)
        training = explicit if explicit is not None else state.training
        if training is None:
            training = self._random_when_called_bare
        if self._call_takes_training():
            kwargs["training"] = training
        if self._explicit_dtype is not None:
            args = map_structure(self._to_own_dtype, args)
        with nested_call(self) as outermost:
            if outermost:
                clear_added_losses(self)  # those of the call before, as in Keras
                args = to_weights(self, args)
            if explicit is not None and explicit != state.training:
                with training_phase(explicit):
                    outputs = function(*args, **kwargs)
            else:
                outputs = function(*args, **kwargs)
        if self.activity_regularizer is not None:
            for output in flatten(outputs):
                self.add_loss(self.activity_regularizer(output) / max(1, output.shape[0]))
        return outputs

    @classmethod
    def _call_takes_training(cls) -> bool:
        if "_takes_training" not in cls.__dict__:
            cls._takes_training = "training" in inspect.signature(cls.call).parameters
        return cls._takes_training

    def _to_own_dtype(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
            return leaf.to(torch_dtype(computed_in(self._explicit_dtype)))
        return leaf

    def _build_once(self, input_shape: Any, beside: Any = None) -> None:
        """Make the weights, on the device of `beside`: inputs, where there are some already."""
        self._build_shape = input_shape
        # Weights made inside Lightning's inference mode could never be trained.
        with name_scope(self), torch.inference_mode(False), torch.no_grad():
            self.build(input_shape)
            weights_to_inputs(self, beside)
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        input_shape = shapes_of(args[0]) if args else shapes_of(next(iter(kwargs.values())))
        if self.input_spec is not None and isinstance(args[0], KerasTensor):
            self.input_spec.check(args[0].shape, self.name)
        if not self.built:
            self._build_once(input_shape)
            if self.input_spec is not None and isinstance(args[0], KerasTensor):
                self.input_spec.check(args[0].shape, self.name)
        switched = any(value is True for key, value in kwargs.items() if key != "training")  # more outputs, perhaps
        if len(args) == 1 and not switched and not any(is_symbolic(value) for value in kwargs.values()):
            output_shapes = self.compute_output_shape(input_shape)
        else:
            output_shapes = dry_run(self, *(shapes_of(arg) for arg in args), **map_structure(shape_or_value, kwargs))
        # Keras writes the Random* layers' default, training=True, into every file; a model's own phase overrides it.
        implied = (None, True) if self._random_when_called_bare else (None,)
        kept = {key: value for key, value in kwargs.items() if key != "training" or value not in implied}
        return record_node(self, args, kept, output_shapes, computed_in(self._explicit_dtype))

    # -- weights ---------------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: int | ShapeLike | None = None,
        initializer: InitializerLike = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        name: str | None = None,
        **of_others: Any,
    ) -> Variable:
        """Make a weight and count it among those of the layer.

        Args:
            shape: shape of the weight; an int for a vector, () or None for one number.
            initializer: how the first values are made: a name, an object or a function; None: Glorot uniform if
                trainable, else zeros.
            dtype: dtype of the values; None: that of the layer.
            trainable: whether training changes it; moving statistics are not trainable.
            regularizer: penalty on it, added to the loss: "l2", an object or a function; None: none.
            constraint: what is applied to it after each training step: "non_neg", an object or a function; None:
                nothing.
            name: name of the weight, e.g. "kernel".
            **of_others: what other backends need to know (`synchronization`, `aggregation`, `autocast`, …); not looked
                at.

        Returns:
            A `Variable`, which is a tensor: a torch parameter if trainable, else a buffer, so that several devices keep
            it equal.

        Raises:
            InputError: a side that is not known.
            UnknownArgumentError: another keyword argument.
        """
        refuse_unknown("add_weight()", of_others, (*OF_ADD_WEIGHT, *OF_OTHER_BACKENDS))
        if isinstance(shape, str):  # Keras 2 put the name first: add_weight("kernel", (3, 3))
            shape, name = initializer, shape
            initializer = None
        shape = (shape,) if isinstance(shape, int) else tuple(shape or ())
        if any(n is None for n in shape):
            raise InputError(
                f"Weight {name!r} of layer {self.name!r} has an unknown side: {shape}. Fix the input shape."
            )
        spend_budget(shape)  # type: ignore[arg-type]  # None is refused above
        init = initializers.get(
            initializer if initializer is not None else ("glorot_uniform" if trainable else "zeros")
        )
        values = init(shape, dtype=torch_dtype(dtype_name(dtype or computed_in(self._explicit_dtype))))
        spec = WeightSpec(regularizers.get(regularizer), constraints.get(constraint), trainable)
        with name_scope(self):
            return self._register_weight(name, values, spec)

    # -- config ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Give the arguments that make this layer again, without its weights.

        Without a `get_config` of its own, a class of yours gives what its constructor was given.

        Returns:
            A dict for `from_config`, which JSON can hold.
        """
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable}
        if self._explicit_dtype is not None:
            config["dtype"] = self._explicit_dtype
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if type(self).get_config is Layer.get_config:
            config = {**bound_arguments(self), **config}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from its config.

        Args:
            config: what `get_config` gave.

        Returns:
            A layer of this class, without weights.

        Raises:
            InputError: the config does not fit the class.
        """
        try:
            return cls(**config)
        except TypeError as error:
            raise InputError(f"Cannot make a {cls.__name__} from its config {config!r}: {error}") from error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self._name}, built={self.built}>"


def _named_as(call: Callable[..., Any]) -> Any:
    """`Layer.forward` with the argument names of `call`: torch.export and ONNX name dynamic shapes by them."""
    forward = types.FunctionType(
        Layer.forward.__code__, Layer.forward.__globals__, "forward", Layer.forward.__defaults__
    )
    forward.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    forward.__module__, forward.__qualname__ = Layer.forward.__module__, Layer.forward.__qualname__
    forward.__doc__ = Layer.forward.__doc__
    return forward


def _marking_built(build: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(build)
    def marked(self: Layer, *args: Any, **kwargs: Any) -> None:
        with name_scope(self):
            build(self, *args, **kwargs)
        if self._build_shape is None and args:
            self._build_shape = args[0]
        self.built = True

    return marked
