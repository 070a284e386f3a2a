"""Tensors in, tensors out: the base of every layer, with Keras' life cycle on top of `torch.nn.Module`.

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
from scene_lightning.errors import InputError, UnknownArgumentError
from scene_lightning.layers.base.constructor import (
    OF_ADD_WEIGHT,
    OF_EVERY_LAYER,
    OF_OTHER_BACKENDS,
    bound_arguments,
    declared_input_shape,
    signature_names,
)
from scene_lightning.layers.base.dtypes import computed_in, dtype_name, torch_dtype
from scene_lightning.layers.base.graph_access import GraphAccess
from scene_lightning.layers.base.phase import name_scope, nested_call, state, training_phase
from scene_lightning.layers.base.policy import HasPolicy
from scene_lightning.layers.base.symbolic import (
    InputSpec,
    KerasTensor,
    Node,
    flatten,
    is_shape,
    is_symbolic,
    map_shapes,
    map_structure,
    merge_shapes,
    record_node,
    shape_leaves,
    shapes_of,
)
from scene_lightning.layers.base.tracking import Tracking, WeightSpec, spend_budget

_UNKNOWN_LENGTH = 33  # stands for an unknown height or width while an output shape is found by a dry run


class Layer(HasPolicy, GraphAccess, Tracking, nn.Module):
    """The base class of all layers. Keras: `keras.layers.Layer`.

    Args:
        trainable: whether the weights are trained.
        name: a name; by default the class name in snake case with a counter, as in Keras.
        dtype: the dtype of the computation ("float32" by default; under mixed precision an explicit "float32"
            keeps this layer in float32).
        activity_regularizer: a penalty on the output, divided by the batch size.
        input_shape: the shape of one input without the batch axis; old spelling of a leading `Input`.

    Raises:
        InputError: an unknown keyword argument.
    """

    _random_when_called_bare = False  # the Random* layers: `layer(x)` stays random, as in Keras
    _takes_training: bool
    _constructor_arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:  # layer.build(shape), called by hand, must not be followed by a second build
            cls.build = _marking_built(cls.build)  # type: ignore[method-assign]
        if "call" in cls.__dict__ and "forward" not in cls.__dict__ and cls.forward.__code__ is Layer.forward.__code__:
            cls.forward = _named_as(cls.call)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        # What the constructor was given: lets a user's own class be cloned without a get_config of its own.
        object.__setattr__(layer, "_constructor_arguments", (args, kwargs))
        return layer

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
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
        """Make the weights for inputs of this shape (batch axis first)."""

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. Without a `call` of its own a layer gives back its inputs, as until Keras 2."""
        warnings.warn(
            f"{type(self).__name__} defines no call(self, inputs), so it changes nothing: its inputs are its outputs.",
            UserWarning,
            stacklevel=2,
        )
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape for an input shape. By default found by running `call` once on zeros."""
        return self._dry_run(input_shape)

    # -- calling ---------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Build if need be, then `call`; on a `KerasTensor`, record the call instead."""
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
        """What a call of the layer does around `call` (build, checks, dtype, phase, penalties), around `function`.

        Args:
            function: `call`, or something of the layer's that stands for it and takes the same arguments.
        """
        if any(isinstance(arg, np.ndarray) for arg in args) or not isinstance(args[0], torch.Tensor):
            args = map_structure(self._as_tensor, args)
        if not self.built:
            self._build_once(shapes_of(args[0]))
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
                self._clear_added_losses()  # those of the call before, as in Keras
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
        found = cls.__dict__.get("_takes_training")
        if found is None:
            parameters = inspect.signature(cls.call).parameters
            found = "training" in parameters
            cls._takes_training = found
        return found

    def _as_tensor(self, leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray | np.generic | float | int) and not isinstance(leaf, bool):
            tensor = torch.as_tensor(np.asarray(leaf))
            tensor = tensor.float() if tensor.dtype == torch.float64 else tensor
            anchor = next(iter(self.parameters()), None)
            return tensor if anchor is None else tensor.to(anchor.device)
        return leaf

    def _to_own_dtype(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
            return leaf.to(torch_dtype(computed_in(self._explicit_dtype)))
        return leaf

    def _build_once(self, input_shape: Any) -> None:
        self._build_shape = input_shape
        # Weights made inside Lightning's inference mode could never be trained.
        with name_scope(self), torch.inference_mode(False), torch.no_grad():
            self.build(input_shape)
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
            output_shapes = self._dry_run(*(shapes_of(arg) for arg in args), **map_structure(_shape_or_value, kwargs))
        # Keras writes the Random* layers' default, training=True, into every file; a model's own phase overrides it.
        implied = (None, True) if self._random_when_called_bare else (None,)
        kept = {key: value for key, value in kwargs.items() if key != "training" or value not in implied}
        return record_node(self, args, kept, output_shapes, computed_in(self._explicit_dtype))

    def _dry_run(self, *input_shapes: Any, **kwargs: Any) -> Any:
        """Output shapes, by running the layer on zeros of batch size 1 (unknown sides stand at 33, then at 47)."""

        def run(length: int) -> Any:
            def zeros(shape: Any) -> torch.Tensor:
                filled = [1, *(length if n is None else n for n in shape[1:])] if shape else []
                return torch.zeros(filled)

            def restore(leaf: Any) -> Any:
                return zeros(leaf) if is_shape(leaf) and not isinstance(leaf, str) else leaf

            inputs = [
                map_shapes(zeros, shape) if not isinstance(shape, int | float) else shape for shape in input_shapes
            ]
            keywords = {
                key: restore(value) if isinstance(value, _SymbolicShape) else value for key, value in kwargs.items()
            }
            with torch.inference_mode(False), torch.no_grad():
                return shapes_of(self.forward(*inputs, **{"training": False, **keywords}))

        first = run(_UNKNOWN_LENGTH)
        unknown = any(n is None for shape in input_shapes for leaf in shape_leaves(shape) for n in leaf[1:])
        second = run(_UNKNOWN_LENGTH + 14) if unknown else first
        return merge_shapes(first, second)

    # -- weights and losses ----------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
        **of_others: Any,
    ) -> Any:
        """Make and register one weight. Keras: `Layer.add_weight`.

        Args:
            **of_others: what other backends need to know (`synchronization`, `aggregation`, `autocast`, …).

        Returns:
            a `Variable` of `shape`: a parameter when trainable, else a buffer (so that several devices keep it equal).
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
        spend_budget(shape)
        init = initializers.get(
            initializer if initializer is not None else ("glorot_uniform" if trainable else "zeros")
        )
        values = init(shape, dtype=torch_dtype(dtype_name(dtype or computed_in(self._explicit_dtype))))
        spec = WeightSpec(regularizers.get(regularizer), constraints.get(constraint), trainable)
        with name_scope(self):
            return self._register_weight(name, values, spec)

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to the training loss of the current step. Keras: `Layer.add_loss`."""
        self._added_losses.extend(flatten(loss))

    def _clear_added_losses(self) -> None:
        for module in self.modules():
            added = getattr(module, "_added_losses", None)
            if added:
                added.clear()

    @property
    def losses(self) -> list[torch.Tensor]:
        """Regularisation penalties and `add_loss` terms of this layer and those inside it: scalars."""
        found: list[torch.Tensor] = []
        for module in self.modules():
            if isinstance(module, Layer):
                found.extend(module._added_losses)
                for name, spec in module._weight_specs.items():
                    if spec.regularizer is not None and module.trainable:
                        found.append(spec.regularizer(getattr(module, name)))
        return found

    # -- config ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make this layer again, without its weights."""
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
        """A layer from its config. Raises InputError when the config does not fit the class."""
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


class _SymbolicShape(tuple):
    """The shape of a symbolic keyword argument, told apart from an ordinary tuple."""


def _shape_or_value(leaf: Any) -> Any:
    return _SymbolicShape(leaf.shape) if isinstance(leaf, KerasTensor) else leaf
