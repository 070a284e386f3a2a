"""The base of the built-in layers: their configs and old spellings, from the constructor's signature.

The signature is the one list of what a layer is made of: `get_config` reads the attributes so named.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from scene_lightning import activations, constraints, initializers, regularizers
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.legacy_spelling import accepting_old_spelling
from scene_lightning.layers.base.types import ShapeLike
from scene_lightning.layers.base.variable import Variable

_SERIALIZERS = {
    "initializer": initializers.serialize,
    "regularizer": regularizers.serialize,
    "constraint": constraints.serialize,
    "activation": activations.serialize,
}
_LAYERS = "scene_lightning.layers."
_WRITTEN_BY_THE_BASE = ("activity_regularizer", "trainable", "name", "dtype", "autocast")


class StandardLayer(Layer):
    """Base of the built-in layers: takes old spellings, and writes the smallest config that Keras 3 reads."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith(_LAYERS) and "__init__" in cls.__dict__:
            cls.__init__ = accepting_old_spelling(cls.__init__)  # type: ignore[method-assign]

    if TYPE_CHECKING:  # the arguments that `_set_options` keeps, whose names follow from the weight's

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        # `layer.activation = None`, as programs write it that look at a network's logits, means linear here too.
        super().__setattr__(name, activations.linear if name == "activation" and value is None else value)

    def _set_options(self, weight: str, initializer: Any, regularizer: Any = None, constraint: Any = None) -> None:
        """Keep how a weight is made, penalised and bounded: `<weight>_initializer`, `_regularizer`, `_constraint`."""
        setattr(self, f"{weight}_initializer", initializers.get(initializer))
        setattr(self, f"{weight}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{weight}_constraint", constraints.get(constraint))

    def _add_named_weight(self, name: str, shape: ShapeLike, options: str | None = None) -> Variable:
        """Make a weight as `<options>_initializer`, `_regularizer` and `_constraint` say; options: None for `name`."""
        kinds = ("initializer", "regularizer", "constraint")
        return self.add_weight(shape, name=name, **{kind: getattr(self, f"{options or name}_{kind}") for kind in kinds})

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, less those that are None and initializers at their default."""
        config = super().get_config()
        for name, default in _arguments(_builtin_class(type(self))):
            value = getattr(self, name)
            serialize = _SERIALIZERS.get(name.rsplit("_", 1)[-1])
            if serialize is not None:
                value = serialize(value)
                if name.endswith("initializer") and value == serialize(initializers.get(default)):
                    continue
            if value is not None:
                config[name] = list(value) if isinstance(value, tuple) else value
        return config


def _builtin_class(cls: type) -> type:
    return next(base for base in cls.__mro__ if base.__module__.startswith(_LAYERS))


@functools.cache
def _arguments(cls: type) -> tuple[tuple[str, Any], ...]:
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    named = [p for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != "self"]
    return tuple((p.name, p.default) for p in named if p.name not in _WRITTEN_BY_THE_BASE)
