"""`Model`: a layer of layers that is also a LightningModule, with Keras' methods for training. Keras: `keras.Model`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from scene_lightning import fast
from scene_lightning._registry import refuse_unknown
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.dry_run import dry_run
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.symbolic import is_symbolic
from scene_lightning.models.copying import Copying
from scene_lightning.models.legacy_training_methods import LegacyTrainingMixin
from scene_lightning.models.saving_methods import SavingMixin
from scene_lightning.models.serialization import register_model_class
from scene_lightning.training.module import TrainableModule
from scene_lightning.training.steps import takes

_functional: list[type] = []  # set by `functional`, which imports this file


def register_functional(cls: type) -> None:
    """Tell `Model(inputs, outputs)` which class to make.

    Args:
        cls: `Functional`.
    """
    _functional.append(cls)
    register_model_class(cls, "Functional", "Model")


class Model(Copying, SavingMixin, LegacyTrainingMixin, Layer, TrainableModule):
    """A network that can be compiled, trained, evaluated and saved; also a LightningModule. Keras: `keras.Model`.

    There are three ways to make one: `Sequential([...])`; `Model(inputs, outputs)`, the functional way, from symbolic
    tensors that layers gave; and a subclass, which makes its layers in `__init__` and uses them in
    `call(self, inputs, training=None)`. Any Lightning `Trainer` takes the object as it is.

    Args:
        *args: (inputs, outputs) of a functional model: one `Input`, or a list or dict of them, and the symbolic tensors
            that are computed from them.
        **kwargs: the same by name; `name` (None makes one up), `trainable` and `dtype`, as for `Layer`.

    Raises:
        InputError: outputs that do not depend on the inputs, or two layers of one name.

    Example:
        >>> inputs = keras.Input(shape=(32, 32, 3))
        >>> x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
        >>> outputs = keras.layers.Dense(6, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
        >>> model = keras.Model(inputs, outputs)
        >>> model.output_shape
        (None, 6)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _functional and _looks_functional(args, kwargs):
            return Layer.__new__(_functional[0], *args, **kwargs)
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _looks_functional(args, kwargs) and not isinstance(self, _functional[0]):
            _make_functional(type(self))  # `class Mine(keras.Model)`, made as Mine(inputs, outputs)
            _functional[0].__init__(self, *args, **kwargs)  # type: ignore[misc]
            return
        if args:
            raise InputError(
                f"{type(self).__name__} was given {len(args)} positional argument(s). Use keras.Model(inputs, outputs) "
                "for a functional model; a subclass calls super().__init__() and defines call()."
            )
        super().__init__(**kwargs)
        self._init_training()

    # LightningModule and Layer both know losses; the layer's are the ones that exist.
    losses = Layer.losses
    dtype = TrainableModule.dtype  # torch's, which Lightning asks for

    # -- structure -------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        """The layers directly inside, in order."""
        return [layer for layer in self._sublayers() if isinstance(layer, Layer)]

    @property
    def _operations(self) -> list[Any]:
        """`layers`, and in a graph the arithmetic between them, which Keras does not count as layers."""
        return self.layers

    def has_symbolic_graph(self) -> bool:
        """Whether `input` and `output` are symbolic tensors that other models can be built on."""
        return hasattr(self, "_graph")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Find a layer of the model by its name or index. Keras: `Model.get_layer`.

        Args:
            name: the layer's name.
            index: its place in `layers`, from 0; one of the two is given.

        Raises:
            InputError: there is none.
        """
        if (name is None) == (index is None):
            raise InputError("get_layer() needs either a name or an index.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise InputError(
                    f"Was asked to retrieve layer at index {index}, but the model has {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise InputError(f"No such layer: {name!r}. Existing layers are: {[layer.name for layer in layers]}.")

    def build(self, input_shape: Any) -> None:
        """Make the weights, by one run on zeros.

        Args:
            input_shape: the inputs' shape with the batch axis first, such as `(None, 150, 150, 3)`; a list for several.
        """
        if not self.built:
            self.built = True  # the dry run below calls forward, which must not come back here
            try:
                dry_run(self, input_shape)
            except BaseException:
                self.built = False
                raise

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute outputs from inputs: to be defined by a subclass, as `call(self, inputs, training=None, mask=None)`.

        Args:
            inputs: a tensor, or a list or dict of them.
            *args, **kwargs: of the subclass: `training` says whether layers such as Dropout train (None: `fit` says
                it); `mask` is that of the inputs, where a layer before made one.
        """
        raise NotImplementedError(f"Model {type(self).__name__} does not define call(self, inputs).")

    @property
    def steps_without_call(self) -> bool:
        """Whether the class has `train_step` or `test_step`, and no `call`."""
        return type(self).call is Model.call and (self.overrides("train_step") or self.overrides("test_step"))

    # -- compile ---------------------------------------------------------------------------------------------------

    def compile(  # type: ignore[override]  # nn.Module.compile is torch.compile; jit_compile=True is the way to it
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **kwargs: Any,
    ) -> None:
        """Set what training minimises, how, and what it reports. Keras: `Model.compile`.

        Args:
            optimizer: a name such as "adam", an optimizer of `keras.optimizers`, or one of torch's. Default "rmsprop".
            loss: a name such as "categorical_crossentropy", a `Loss`, or a function of (y_true, y_pred); a list or dict
                of them for several outputs; None for a model that adds losses itself.
            metrics: a list of names, `Metric`s or functions of (y_true, y_pred); "accuracy" picks the kind that fits
                the targets. A dict or a list of lists for several outputs.
            loss_weights: how much each output's loss counts, as a list or dict; None takes 1.
            weighted_metrics: metrics that `sample_weight` and `class_weight` apply to.
            run_eagerly: without effect: everything runs eagerly here.
            steps_per_execution: without effect.
            jit_compile: whether the model goes through torch.compile. True: always, in `fit`, `evaluate` and `predict`;
                what is compiled is kept as long as the model lives. "auto" takes it for evaluations and predictions
                with so much to compute that it pays. "reduce-overhead": always, and on a GPU with CUDA graphs, for
                small networks and batches. Where it fails, a warning says so and the model runs as it is.
            auto_scale_loss: without effect: Lightning scales the loss where the precision asks for it.
            **kwargs: Keras 2's `sample_weight_mode`, `target_tensors` and `distribute`, which must be None.

        Raises:
            InputError: an unknown optimizer, loss or metric; nothing has changed then.
            UnsupportedError: one of Keras 2's arguments is given.

        Example:
            model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
            model.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss=keras.losses.MeanSquaredError())
        """
        old = {"sample_weight_mode", "target_tensors", "distribute"} & set(kwargs)
        own = [*inspect.signature(Model.compile).parameters][1:-1]
        refuse_unknown("compile()", kwargs, [*own, *sorted(old)])
        if any(kwargs[name] is not None for name in old):
            raise UnsupportedError(f"compile({', '.join(sorted(old))}) is not supported: pass sample_weight to fit().")
        if isinstance(metrics, str):  # Keras 2 took one metric for a list of it
            metrics = [metrics]
        if metrics is not None and not isinstance(metrics, list | tuple | dict):
            raise InputError(f"metrics must be a list, tuple or dict, such as ['accuracy']; received {metrics!r}.")
        if jit_compile is not None and jit_compile not in fast.JIT_CHOICES:
            known = ", ".join(map(repr, fast.JIT_CHOICES[:-1]))
            raise InputError(f"jit_compile must be {known} or {fast.JIT_CHOICES[-1]!r}; received {jit_compile!r}.")
        self._compile(optimizer, loss, loss_weights, metrics, weighted_metrics)
        self.jit_compile = "auto" if jit_compile is None else jit_compile

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        return self._metric_names()

    def reset_metrics(self) -> None:
        """Forget what the metrics have seen."""
        if self.compiled:
            self._train_metrics.reset()
            self._val_metrics.reset()
        for metric in self.metrics:
            metric.reset_state()

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        """Make a model of this class from its `get_config()`, without weights.

        Args:
            config: the dict.
            custom_objects: your own classes and functions by name.
        """
        if cls is Model:
            return _functional[0].from_config(config, custom_objects=custom_objects)  # type: ignore[attr-defined]
        if "input_layers" in config and cls.__init__ is Model.__init__:
            _make_functional(cls)
            return cls.from_config(config, custom_objects)
        kept, common = _split_common(cls, config)
        model = super().from_config(kept)
        model._name = common.get("name", model._name)
        if common.get("trainable") is False:
            model.trainable = False
        return model


def _looks_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    named = {"inputs", "outputs", "input", "output"} & set(kwargs)
    return len(args) >= 2 or bool(named) or (len(args) == 1 and is_symbolic(args))


def _split_common(cls: Any, config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A config → what the constructor takes, and a layer's own keys that a user's `__init__(self)` leaves out."""
    common = {key for key in ("name", "trainable", "dtype") if not takes(cls.__init__, key)}
    return (
        {key: value for key, value in config.items() if key not in common},
        {key: value for key, value in config.items() if key in common},
    )


def _make_functional(cls: Any) -> Any:
    """Put `Functional` in `Model`'s place among the bases of `cls`, as Keras does."""
    if cls is Model:
        return _functional[0]
    if cls is not object and issubclass(cls, Model):
        cls.__bases__ = tuple(_make_functional(base) for base in cls.__bases__)
    return cls
