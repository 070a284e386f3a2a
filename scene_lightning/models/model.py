"""`Model`: a layer of layers that is also a LightningModule, with Keras' verbs. Keras: `keras.Model`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

import yaml

from scene_lightning._registry import refuse_unknown
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.dry_run import dry_run
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.symbolic import is_symbolic
from scene_lightning.models import lightning_files, persistence, summary, weight_files
from scene_lightning.models.copying import Copying
from scene_lightning.models.file_arguments import check_arguments
from scene_lightning.models.legacy_training_methods import LegacyTrainingMixin
from scene_lightning.models.lightning_files import OnClass
from scene_lightning.models.serialization import layer_config, register_model_class
from scene_lightning.saving.normalize import portable_config
from scene_lightning.training.module import TrainableModule

_functional: list[type] = []  # set by `functional`, which imports this file


def register_functional(cls: type) -> None:
    """Tell `Model(inputs, outputs)` which class to make."""
    _functional.append(cls)
    register_model_class(cls, "Functional", "Model")


class Model(Copying, LegacyTrainingMixin, Layer, TrainableModule):
    """The base of `Sequential`, of functional models and of models with a `call` of their own.

    `Model(inputs, outputs)` gives a functional model. A subclass makes its layers in `__init__` and uses them in
    `call(self, inputs, training=None)`. Any Lightning `Trainer` takes the object as it is.
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
        """The layer of that name, or at that index. Raises InputError when there is none."""
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
        """Make the weights for inputs of `input_shape` (batch axis first), by one run on zeros."""
        if not self.built:
            self.built = True  # the dry run below calls forward, which must not come back here
            try:
                dry_run(self, input_shape)
            except BaseException:
                self.built = False
                raise

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """To be defined by a subclass."""
        raise NotImplementedError(f"Model {type(self).__name__} does not define call(self, inputs).")

    @property
    def steps_without_call(self) -> bool:
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
            jit_compile: whether the model goes through torch.compile. "auto" takes it for predicting 100,000 samples
                and more, which pay for compiling; True always; where it fails, a warning says so and it runs as it is.

        Raises:
            InputError: an unknown optimizer, loss or metric; nothing has changed then.
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
        if jit_compile not in (True, False, "auto", None):
            raise InputError(f'jit_compile must be True, False or "auto"; received {jit_compile!r}.')
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

    # -- description and files -------------------------------------------------------------------------------------

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
        style: str = "keras3",
    ) -> None:
        """Print Keras' table of layers, shapes and parameters; `style="keras2"` gives the older text table."""
        summary.print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
            style=style,
        )

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON text, without weights."""
        return json.dumps(portable_config(layer_config(self)), **kwargs)

    def to_yaml(self, **kwargs: Any) -> str:
        """The architecture as YAML text, without weights. Keras: until 2.5."""
        return yaml.safe_dump(json.loads(self.to_json()), **kwargs)

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        include_optimizer: bool = True,
        save_format: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the model: `.keras` (Keras 3), `.h5` (Keras' older file), `.ckpt` (Lightning). Keras: `Model.save`.

        `save_format="keras2"` writes an `.h5` that tf.keras 2 loads; UnsupportedError names what it does not have.

        Args:
            overwrite: False refuses to replace a file.
            include_optimizer: False leaves what `compile` was given, and the optimizer's state, out of the file.
        """
        check_arguments("save", kwargs, "filepath", "overwrite", "include_optimizer", "save_format")
        persistence.save_model(
            self, filepath, overwrite=overwrite, include_optimizer=include_optimizer, save_format=save_format
        )

    def export(self, filepath: Any = None, *args: Any, **kwargs: Any) -> NoReturn:
        """Not supported: says what writes the model for other programs. Keras: `Model.export`."""
        raise UnsupportedError(
            "model.export() is not supported: no TensorFlow is here to write a SavedModel. For Keras and TensorFlow: "
            "model.save('model.keras'), and there keras.models.load_model('model.keras').export(folder). For PyTorch: "
            "torch.export.save(torch.export.export(model.eval(), (images,)), 'model.pt2'), images being a batch as a "
            "tensor."
        )

    def save_weights(self, filepath: Any, overwrite: bool = True, save_format: Any = None, **kwargs: Any) -> None:
        """Write the weights only: `.weights.h5`; `.safetensors`; under any other name an `.h5` in Keras 2's layout."""
        check_arguments("save_weights", kwargs, "filepath", "overwrite", "save_format")
        weight_files.save_weights(self, filepath, overwrite=overwrite, save_format=save_format)

    def load_weights(self, filepath: Any, by_name: bool = False, skip_mismatch: bool = False, **kwargs: Any) -> Any:
        """Weights from any model or weights file. Keras: `Model.load_weights`.

        Args:
            by_name: take the layers whose names the file has, and leave the others.
            skip_mismatch: leave layers whose weights do not fit, with a warning, instead of failing.

        Returns:
            As in Keras 2: for a TensorFlow checkpoint, or a file called like one, a status with `expect_partial()` and
            `assert_consumed()`; else None.

        Raises:
            FileFormatError: they do not fit; nothing changes then.
        """
        check_arguments("load_weights", kwargs, "filepath", "by_name", "skip_mismatch")
        return weight_files.load_weights(self, filepath, by_name=by_name, skip_mismatch=skip_mismatch)

    @OnClass  # type: ignore[arg-type]
    def load_from_checkpoint(  # type: ignore
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model from a Lightning checkpoint, compiled as it was. Lightning: `LightningModule.load_from_checkpoint`.

        `Sequential` and functional models come back from the network that the file describes; a class with an
        `__init__` of its own from `save_hyperparameters()` and `kwargs`, as in Lightning, or as this one was made.

        Args:
            checkpoint_path: a `.ckpt` that a Trainer or `save` wrote.
            map_location: the device for the weights; None: the CPU (for a class of your own, where they were).
            hparams_file, strict, weights_only, **kwargs: Lightning's, for a class of your own.

        Raises:
            InputError: the file holds a model of another class.
            FileFormatError: it is no checkpoint of a model like these.
        """
        options = {"map_location": map_location, "strict": strict, "weights_only": weights_only}
        given = {**kwargs, **({} if hparams_file is None else {"hparams_file": hparams_file})}
        lightnings = partial(super().load_from_checkpoint, checkpoint_path, **options, **given)
        return lightning_files.load(cls, checkpoint_path, map_location, given, lightnings)

    def _build_from_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        lightning_files.build_from_checkpoint(self, checkpoint)

    def _describe_for_checkpoint(self) -> dict[str, Any]:
        return persistence.section_for_trainer(self)

    def _backup(self, path: Any) -> None:
        persistence.write_backup(self, path)

    def _restore_backup(self, path: Any) -> None:
        persistence.read_backup(self, path)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        """A model of this class from its `get_config()`."""
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
    parameters = inspect.signature(cls.__init__).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    common = set() if takes_all else {"name", "trainable", "dtype"} - set(parameters)
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
