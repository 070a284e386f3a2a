"""Reads and writes legacy `.h5` files (Keras 2 of all eras, Keras 3).

Whole models keep configs in root attributes and weights under `model_weights`; weights-only files keep the latter at
the root. Layers stand by name, in model order in `layer_names`; a nested model's weights are listed flat, trained ones
first. Ours adds the root attribute "scene_lightning" (image info) and a checksum of the texts, which Keras does not
read, and HDF5's own checksums of the arrays, which every reader checks.
Source: keras/src/legacy/saving/legacy_h5_format.py (3.15) and its Keras 2 forms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import parse_json_object, reading, to_json
from scene_lightning.saving._hdf5 import SafeFile, write_array, write_checksum, write_names
from scene_lightning.saving.archive import LayerWeights, ModelArchive, OptimizerState
from scene_lightning.saving.keras2_export import KERAS2_VERSION, keras2_model_config, keras2_tree
from scene_lightning.saving.keras2_training import keras2_optimizer_state, keras2_training_config
from scene_lightning.saving.keras_zip import IMAGE_INFO_KEY, KERAS_VERSION
from scene_lightning.saving.normalize import normalize_compile_config, normalize_model_config, portable_config
from scene_lightning.saving.normalize_graph import output_names
from scene_lightning.saving.optimizer_state import from_named_variables

_TEXTS = ("model_config", "training_config", IMAGE_INFO_KEY)
_WHAT = "a Keras .h5 file (legacy HDF5)"


def write_legacy_h5(path: str | os.PathLike[str], archive: ModelArchive, *, weights_only: bool = False) -> None:
    """Write a legacy `.h5` file that Keras 3's `load_model` (or, weights only, `load_weights`) takes.

    Top-level layers need distinct names, for the file knows them by nothing else.

    Args:
        path: the file.
        archive: what it is to hold.
        weights_only: leave out the config, what `compile` was given, and the optimiser's state.

    Raises:
        FileFormatError: a whole model is to be written, and the archive holds weights only.
    """
    if archive.config is None and not weights_only:
        raise FileFormatError("A whole .h5 model needs a model config; this archive holds weights only.")
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        group = file
        if not weights_only:
            _write_configs(file, archive)
            group = file.create_group("model_weights")
        _write_layers(group, archive.weights)
        if not weights_only and archive.optimizer is not None:
            _write_optimizer(file, archive.optimizer, archive.compile_config)
        write_checksum(file, _TEXTS)


def write_keras2_h5(path: str | os.PathLike[str], archive: ModelArchive) -> None:
    """Write a whole model that `load_model` of tf.keras 2 takes, `compile` and the optimizer's state with it.

    Args:
        path: the file.
        archive: what it is to hold.

    Raises:
        UnsupportedError: it holds what Keras 2 does not have. Nothing is written then.
    """
    model_config = keras2_model_config(archive.config or {})
    training = keras2_training_config(archive.compile_config)
    state = keras2_optimizer_state(archive.optimizer, training)
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["keras_version"] = KERAS2_VERSION
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = to_json(model_config)
        _write_layers(
            file.create_group("model_weights"), keras2_tree(archive.weights), KERAS2_VERSION, backend="tensorflow"
        )
        if training is not None:
            file.attrs["training_config"] = to_json(training)
        if state is not None:
            _write_optimizer(file, state, archive.compile_config)
        if notes := archive.own_notes():
            file.attrs[IMAGE_INFO_KEY] = to_json(notes)
        write_checksum(file, _TEXTS)


def read_legacy_h5(path: str | os.PathLike[str]) -> ModelArchive:
    """Read a legacy `.h5` file of any Keras, whole or weights only.

    Args:
        path: the file.

    Returns:
        Its contents: layout "flat", one child per top-level layer.

    Raises:
        FileFormatError: not such a file, damaged, or built to harm.
    """
    with reading(path, _WHAT), SafeFile(path) as file:
        root = file.file
        file.check_texts(_TEXTS)
        archive = ModelArchive(layout="flat", config=_config(file))
        group = file.group(root, "model_weights") if "model_weights" in root else root
        version = file.attribute(group, "keras_version") or file.attribute(root, "keras_version") or "1"
        archive.source = f"the .h5 file (Keras {version!s:.40})"
        archive.weights = _read_layers(file, group)
        training = file.attribute(root, "training_config")
        if isinstance(training, str):
            given = parse_json_object(training, "training_config")
            archive.compile_config = normalize_compile_config(given, output_names(archive.config))
        if "optimizer_weights" in root:
            slots = file.group(root, "optimizer_weights")
            names = file.names(slots, "weight_names")
            variables = [file.array(slots, name) for name in names]
            archive.optimizer = from_named_variables(names, variables, archive.compile_config)
        ours = file.attribute(root, IMAGE_INFO_KEY)
        if isinstance(ours, str):
            archive.take_own_notes(parse_json_object(ours, IMAGE_INFO_KEY))
        return archive


def _config(file: SafeFile) -> dict[str, Any] | None:
    text = file.attribute(file.file, "model_config")
    if text is None:
        return None
    if not isinstance(text, str):
        raise FileFormatError("its model_config should be JSON text.")
    return normalize_model_config(parse_json_object(text, "model_config"))


def _read_layers(file: SafeFile, group: h5py.Group) -> LayerWeights:
    names = file.names(group, "layer_names")
    if not names and not any(key in group.attrs for key in ("layer_names", "layer_names0")):
        raise FileFormatError("it has no layer_names, so it is not a Keras model.")
    if len(set(names)) != len(names):
        raise FileFormatError("its layer_names hold a name twice.")
    tree = LayerWeights(children=[_read_layer(file, group, name) for name in names])
    if "top_level_model_weights" in group:
        top = _read_layer(file, group, "top_level_model_weights")
        tree.arrays, tree.weight_names = top.arrays, top.weight_names
    return tree


def _read_layer(file: SafeFile, group: h5py.Group, name: str) -> LayerWeights:
    layer = file.group(group, name)
    weight_names = file.names(layer, "weight_names")
    arrays = [file.array(layer, weight_name) for weight_name in weight_names]
    return LayerWeights(name=name, path=f"layers/{name}", arrays=arrays, weight_names=weight_names)


def _write_configs(file: h5py.File, archive: ModelArchive) -> None:
    config = portable_config(archive.config or {})
    file.attrs["keras_version"] = KERAS_VERSION
    file.attrs["backend"] = "torch"
    model_config = _legacy_form({"class_name": config["class_name"], "config": config["config"]})
    if "build_config" in config and "layers" not in config["config"]:  # a user's own class has no input layer to say it
        model_config["build_config"] = config["build_config"]
    file.attrs["model_config"] = to_json(model_config)
    if archive.compile_config:
        training = portable_config(archive.compile_config)
        optimizer = training.pop("optimizer", None)
        training.setdefault("loss_weights", None)
        training = _legacy_form(training)
        if isinstance(optimizer, str):  # "adam", all defaults
            optimizer = {"class_name": optimizer, "config": {}}
        if isinstance(optimizer, dict):  # what is inside (a schedule) keeps its module: Keras 3 looks it up so
            optimizer = {key: optimizer[key] for key in ("class_name", "config")}
        training["optimizer_config"] = optimizer
        file.attrs["training_config"] = to_json(training)
    if notes := archive.own_notes():
        file.attrs[IMAGE_INFO_KEY] = to_json(notes)


def _legacy_form(value: Any) -> Any:
    """Objects without `module` and `registered_name`, as the legacy reader expects layers, losses and metrics."""
    if isinstance(value, list):
        return [_legacy_form(item) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = ("module", "registered_name", "build_config") if "class_name" in value else ()
    return {key: _legacy_form(item) for key, item in value.items() if key not in dropped}


def _write_layers(group: h5py.Group, tree: LayerWeights, version: str = KERAS_VERSION, backend: str = "torch") -> None:
    names = [child.name for child in tree.children]
    if len(set(names)) != len(names) or not all(names):
        raise FileFormatError(f"A .h5 file needs layers with distinct names; received {names}. Save as .keras instead.")
    write_names(group, "layer_names", names)
    group.attrs["backend"] = backend
    group.attrs["keras_version"] = version
    for child in sorted(tree.children, key=lambda layer: layer.name):  # so that no name is made as another's prefix
        _write_layer(group.create_group(child.name), child)
    _write_layer(group.create_group("top_level_model_weights"), LayerWeights(arrays=tree.arrays, name=tree.name))


def _write_layer(group: h5py.Group, layer: LayerWeights) -> None:
    weights = sorted(_weights_of(layer, layer.name), key=lambda weight: not weight[2])  # as every legacy reader expects
    write_names(group, "weight_names", [name for name, _, _ in weights])
    for name, array, _ in weights:
        write_array(group, name, array)


def _weights_of(layer: LayerWeights, prefix: str) -> Iterator[tuple[str, np.ndarray, bool]]:
    """The name, the array and whether it is trained of each weight in or below a layer."""
    names = layer.weight_names or [f"weight_{index}" for index in range(len(layer.arrays))]
    flags = layer.trainable or [True] * len(layer.arrays)
    yield from zip((f"{prefix}/{name}" for name in names), layer.arrays, flags, strict=True)
    for child in layer.children:
        yield from _weights_of(child, f"{prefix}/{child.name or child.path.rsplit('/', 1)[-1]}")


def _write_optimizer(file: h5py.File, state: OptimizerState, compile_config: dict[str, Any] | None) -> None:
    optimizer = (compile_config or {}).get("optimizer")
    optimizer_name = str(optimizer.get("class_name")).lower() if isinstance(optimizer, dict) else "optimizer"
    group = file.create_group("optimizer_weights")
    head = ["iteration"] + (["learning_rate"] if state.learning_rate is not None else [])
    names = head + [f"slot_{index}" for index in range(len(state.slots))]
    names = [f"{optimizer_name}/{name}" for name in names]
    write_names(group, "weight_names", names)
    for name, array in zip(names, state.variables(), strict=True):
        write_array(group, name, array)
