"""Loads a whole model from a file of any Keras or of this package: `load_model`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scene_lightning import saving
from scene_lightning._registry import custom_object_scope
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.models.compile_files import compile_from
from scene_lightning.models.file_arguments import check_arguments
from scene_lightning.models.model import Model
from scene_lightning.models.persistence import STATE_FILES, model_from_archive, model_from_state, read_archive
from scene_lightning.models.shipped import shipped_file
from scene_lightning.saving import OptimizerState
from scene_lightning.saving.sniff import stored_at


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    **old: Any,
) -> Model:
    """Load a model from its file, with its weights, compiled as it was. Keras: `keras.models.load_model`.

    Args:
        filepath: a file of any Keras or of this package, known by its content: `.keras`, `.h5`, `.ckpt`,
            `.safetensors`, or a SavedModel folder of Keras 2. "scenes" is a model that comes with this package.
        custom_objects: your own classes and functions by name, where the file names some.
        compile: restore optimizer, loss and metrics too, so that training can go on; False for predicting only.
        safe_mode: refuse files that carry Python code; it is never run either way.
        **old: arguments of other Keras versions; those without meaning here are noted, others refused.

    Returns:
        The model.

    Raises:
        FileFormatError: nothing there, not a model file, damaged, or weights without an architecture.
        InputError: an unknown argument.

    Example:
        >>> model = keras.models.load_model("scenes")
        >>> model.input_shape
        (None, 150, 150, 3)
    """
    check_arguments("load_model", old, "custom_objects", "compile", "safe_mode")
    with custom_object_scope(custom_objects):
        return _load(filepath, compile, with_optimizer=compile)


def load_to_answer(filepath: Any) -> Model:
    """Load a model for answers and their loss, compiled as it was but for what its optimizer kept of the training.

    Args:
        filepath: as for `load_model`.
    """
    return _load(filepath, compile=True, with_optimizer=False)


def _load(filepath: Any, compile: bool, with_optimizer: bool) -> Model:
    path = stored_at(shipped_file(filepath) or filepath)
    if os.path.isfile(path) and (kind := saving.sniff(path)) in STATE_FILES:
        return model_from_state(STATE_FILES[kind](path), path, compile, with_optimizer)
    archive = read_archive(path)
    if archive.config is None:
        raise FileFormatError(
            f"{path!r} holds weights but no architecture. Build the network in code, then model.load_weights(path)."
        )
    model = model_from_archive(archive, path)
    model.image_info, model._images_seen, model._recipe = archive.image_info, archive.images_seen, archive.recipe
    if compile and archive.compile_config:
        compile_from(model, archive.compile_config, path)
        if with_optimizer and archive.optimizer is not None:
            _restore_optimizer(model, archive.optimizer, path)
    return model


def _restore_optimizer(model: Any, state: OptimizerState, path: str) -> None:
    optimizer = model.optimizer
    if not state.slots:  # compiled but not trained, or an optimizer that keeps nothing per weight
        optimizer.variables[0].assign(state.iterations)
        if state.learning_rate is not None and not optimizer.has_schedule:
            optimizer.learning_rate = state.learning_rate
        return
    optimizer.torch_optimizer(list(model.parameters()))
    if state.learning_rate is None and not optimizer.has_schedule:  # tf.keras' .keras has it in the config alone
        state = replace(state, learning_rate=float(optimizer.learning_rate))
    try:
        optimizer.load_slot_arrays(state.variables())
    except InputError as error:  # the weights are sound: as in Keras, training can start with a fresh optimizer
        warnings.warn(f"{path!r}: the optimizer's state was left out, it starts afresh. {error}", stacklevel=2)
