"""`load_from_checkpoint` of Lightning for Keras' models: from the network that the file describes, or the class's way.

A Lightning checkpoint of a model here holds what `load_model` needs. A user's class with arguments of its own is made
as Lightning makes it, from `save_hyperparameters()` or keywords, and gets its weights' shapes from the file.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch

from scene_lightning._registry import custom_object_scope
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.models import persistence
from scene_lightning.models.compile_files import compile_from
from scene_lightning.saving import checkpoint, sniff
from scene_lightning.training.building import has_unbuilt_layers


class OnClass(classmethod):  # type: ignore[type-arg]
    """A method of the class that says so when it is called on an object, whose weights it would leave alone."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        bound = super().__get__(instance, owner)
        if instance is None:
            return bound

        @functools.wraps(bound)
        def refused(*_: Any, **__: Any) -> Any:
            raise TypeError(
                f"load_from_checkpoint makes a new model: call it on the class, {type(instance).__name__}."
                f"load_from_checkpoint(path). To fill this model: model.load_weights(path)."
            )

        return refused


def load(cls: Any, path: Any, map_location: Any, arguments: Mapping[str, Any], lightnings: Callable[[], Any]) -> Any:
    """Make a model of a class from a checkpoint.

    Args:
        cls: the class that `load_from_checkpoint` is called on.
        path: the checkpoint's path; for a class with its own constructor an open file, too.
        map_location: a device for the weights; None leaves them on the CPU.
        arguments: keywords for the class's constructor, and Lightning's `hparams_file`.
        lightnings: Lightning's own way: constructor, `on_load_checkpoint`, `load_state_dict`.

    Raises:
        InputError: the file holds a model of another class.
        FileFormatError: not a checkpoint that this package's models write.
    """
    own = not cls.__init__.__module__.startswith(f"{__name__.partition('.')[0]}.")
    data = _read(path, own)
    described = _describes(data, cls)
    if own and (arguments or data is None or data.get("hyper_parameters") or not described):
        model = lightnings()
        if data is not None:
            _finish(model, data, os.fspath(path))
        return model
    assert data is not None
    with custom_object_scope({cls.__name__: cls}):
        model = persistence.model_from_state(data, os.fspath(path), compile=True, with_optimizer=True)
    if not isinstance(model, cls):
        raise InputError(
            f"{os.fspath(path)!r} holds a {type(model).__name__} model, not a {cls.__name__}: use "
            f"{type(model).__name__}.load_from_checkpoint(path), or keras.models.load_model(path) for any."
        )
    return model.to(map_location) if isinstance(map_location, str | int | torch.device) else model


def build_from_checkpoint(model: Any, data: Mapping[str, Any]) -> None:
    """Give an unbuilt model weights of the shapes that the checkpoint's model had, before its state comes.

    Args:
        model: a model, built or not.
        data: the checkpoint's dict.

    Raises:
        InputError: the checkpoint does not say for which input its model was built.
    """
    if model.built or not has_unbuilt_layers(model):
        return
    shape = checkpoint.build_shape(data)
    if shape is None:
        raise InputError(
            f"The checkpoint does not say what input {type(model).__name__} was built for, so its weights cannot be "
            "made. Call self.build((None, height, width, channels)) at the end of its __init__."
        )
    model.build(tuple(shape))


def _read(path: Any, own: bool) -> dict[str, Any] | None:
    """The checkpoint as data; None where only Lightning can read it (an open file, objects in hyper_parameters)."""
    if not isinstance(path, str | os.PathLike):
        if own:
            return None
        raise InputError("Pass the checkpoint's path: an open file is not read.")
    name = os.fspath(path)
    if os.path.isfile(name) and (kind := sniff(name)) not in persistence.STATE_FILES:
        raise FileFormatError(f"{name!r} is not a Lightning checkpoint ({kind}): use keras.models.load_model(path).")
    try:
        return persistence.STATE_FILES["ckpt"](name)
    except FileFormatError:
        if own and os.path.isfile(name):
            return None
        raise


def _describes(data: Mapping[str, Any] | None, cls: Any) -> bool:
    """Whether the file holds the config of a `cls`."""
    section = (data or {}).get(checkpoint.SECTION)
    if not isinstance(section, Mapping) or not section.get("model_config"):
        return False
    config = checkpoint.read_model_section(data or {})["model_config"]
    return config.get("class_name") == cls.__name__


def _finish(model: Any, data: dict[str, Any], path: str) -> None:
    """What Lightning's way leaves out: image_info, and what `compile` was given, unless the class compiles itself."""
    if checkpoint.SECTION not in data or not isinstance(model, L.LightningModule):
        return
    section = checkpoint.read_model_section(data, path, needs_model=False)
    model.image_info, model._recipe = section["image_info"], section["recipe"]  # type: ignore[assignment]
    if not model.compiled and section["compile_config"]:
        compile_from(model, section["compile_config"], path)
        persistence.load_checkpoint_into(model, data, path, with_optimizer=True)
