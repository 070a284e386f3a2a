"""Reads and writes Keras 3's files, `.keras` and `.weights.h5`.

`.keras` is a zip of metadata.json, config.json and model.weights.h5. Nothing is ever unpacked to disk: members are
read into memory after their sizes are checked. Ours differs in one key of metadata.json, "scene_lightning", which
Keras does not read: it carries the image info.
Source: keras/src/saving/saving_lib.py (3.15); tf_keras' variant of 2.13+ is read too.
"""

from __future__ import annotations

import datetime
import io
import operator
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scene_lightning._atomic_write import atomic_write
from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import parse_json_object, reading, to_json
from scene_lightning.saving._hdf5 import MAX_EXPANSION, SMALL_BYTES, SafeFile, write_array, write_checksum
from scene_lightning.saving.archive import LayerWeights, ModelArchive, OptimizerState
from scene_lightning.saving.normalize import normalize_compile_config, normalize_model_config, portable_config
from scene_lightning.saving.optimizer_state import from_keras3_variables

KERAS_VERSION = "3.15.1"  # the version whose layout is written; readers of other versions go by it
IMAGE_INFO_KEY = "scene_lightning"
MAX_MEMBERS = 10_000
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_NOT_LAYERS = ("optimizer", "metrics", "_metrics", "loss_tracker", "_loss_tracker", "compiled_metrics")
_WHAT = "a Keras 3 .keras file (a zip holding config.json and model.weights.h5)"
_WHAT_WEIGHTS = "a Keras 3 .weights.h5 file"


def write_keras(path: str | os.PathLike[str], archive: ModelArchive) -> None:
    """Write a `.keras` file that Keras 3 loads on any backend; it is complete under its name, or absent.

    Args:
        path: the file.
        archive: what it is to hold.

    Raises:
        FileFormatError: the archive holds weights only.
    """
    if archive.config is None:
        raise FileFormatError("A .keras file needs a model config; this archive holds weights only.")
    config = portable_config(archive.config)
    config["compile_config"] = portable_config(archive.compile_config) if archive.compile_config else {}
    metadata: dict[str, Any] = {
        "keras_version": KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    if notes := archive.own_notes():
        metadata[IMAGE_INFO_KEY] = notes
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        _write_tree(file, archive, operator.setitem)  # the zip has checksums
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as members:
        members.writestr(_METADATA, to_json(metadata))
        members.writestr(_CONFIG, to_json(config))
        members.writestr(_WEIGHTS, weights.getbuffer())


def write_weights_h5(path: str | os.PathLike[str], archive: ModelArchive) -> None:
    """Write weights and optimiser state to a `.weights.h5` file that Keras 3's `load_weights` takes.

    Args:
        path: the file.
        archive: what it is to hold.
    """
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        _write_tree(file, archive, write_array)
        if notes := archive.own_notes():
            file.attrs[IMAGE_INFO_KEY] = to_json(notes)
        write_checksum(file, [IMAGE_INFO_KEY])


def read_keras(path: str | os.PathLike[str]) -> ModelArchive:
    """Read a `.keras` file of Keras 3, tf.keras 2.13+ or this package.

    Args:
        path: the file.

    Returns:
        Its contents, configs in Keras 3's form.

    Raises:
        FileFormatError: not such a file, damaged, or built to harm.
    """
    with reading(path, _WHAT):
        file_bytes = Path(path).stat().st_size
        with zipfile.ZipFile(path) as members:
            infos = _checked_members(members, file_bytes)
            config = parse_json_object(_member(members, infos, _CONFIG), _CONFIG)
            metadata = parse_json_object(_member(members, infos, _METADATA), _METADATA) if _METADATA in infos else {}
            weights = _member(members, infos, _WEIGHTS)
        version = str(metadata.get("keras_version", "unknown version"))[:40]
        compile_config = normalize_compile_config(config.pop("compile_config", None))
        archive = ModelArchive(
            config=normalize_model_config(config),
            compile_config=compile_config,
            source=f"the .keras file (Keras {version})",
        )
        archive.take_own_notes(metadata.get(IMAGE_INFO_KEY))
        with SafeFile(weights) as file:
            _read_tree(file, archive)
        return archive


def read_weights_h5(path: str | os.PathLike[str]) -> ModelArchive:
    """Read a `.weights.h5` file of Keras 3 (or tf.keras 2.13+).

    Args:
        path: the file.

    Returns:
        Its contents; `config` is None.

    Raises:
        FileFormatError: not such a file, damaged, or built to harm.
    """
    with reading(path, _WHAT_WEIGHTS), SafeFile(path) as file:
        archive = ModelArchive(source="the .weights.h5 file")
        file.check_texts([IMAGE_INFO_KEY])
        _read_tree(file, archive)
        if not archive.weights.has_weights():
            raise FileFormatError("it holds no weights where Keras 3 puts them (layers/…/vars).")
        ours = file.attribute(file.file, IMAGE_INFO_KEY)
        if isinstance(ours, str):
            archive.take_own_notes(parse_json_object(ours, IMAGE_INFO_KEY))
        return archive


def _checked_members(members: zipfile.ZipFile, file_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Members by name. Nothing is extracted, yet a name that would leave the folder shows what the file is for."""
    infos: dict[str, zipfile.ZipInfo] = {}
    if len(members.infolist()) > MAX_MEMBERS:
        raise FileFormatError(f"the zip lists more than {MAX_MEMBERS} members.")
    for info in members.infolist():
        name = info.filename
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or "\0" in name:
            raise FileFormatError(f"the zip has a member with a path that leaves its folder: {name[:80]!r}.")
        if name in infos:
            raise FileFormatError(f"the zip holds {name[:80]!r} twice.")
        if info.flag_bits & 0x1:
            raise FileFormatError(f"the zip's member {name[:80]!r} is encrypted; save the model without a password.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileFormatError(f"the zip's member {name[:80]!r} is packed in an unusual way; store or deflate it.")
        if info.file_size > SMALL_BYTES + MAX_EXPANSION * info.compress_size:
            raise FileFormatError(f"the zip's member {name[:80]!r} declares {info.file_size} bytes, a zip bomb.")
        infos[name] = info
    if sum(info.compress_size for info in infos.values()) > file_bytes:
        raise FileFormatError("the zip's members claim more bytes than the file has.")
    return infos


def _member(members: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    if name not in infos:
        if name == _WEIGHTS and "model.weights.npz" in infos:
            raise FileFormatError("its weights are in npz form; load it in Keras and save it again with h5 weights.")
        raise FileFormatError(f"the zip has no {name}; it holds {', '.join(list(infos)[:5]) or 'nothing'}.")
    with members.open(infos[name]) as stream:
        data = stream.read(infos[name].file_size + 1)
    if len(data) != infos[name].file_size:
        raise FileFormatError(f"{name} has {len(data)} bytes; its header says {infos[name].file_size}.")
    return data


def _write_tree(file: h5py.File, archive: ModelArchive, write: Callable[[h5py.Group, str, np.ndarray], None]) -> None:
    """Arrays as `<path>/vars/<i>`. Each layer has its group, weights or none, for Keras writes it so."""
    for node in archive.weights.walk():
        group = file.require_group(f"{node.path}/vars" if node.path else "vars")
        if node.name:
            group.attrs["name"] = node.name
        for index, array in enumerate(node.arrays):
            write(group, str(index), array)
    if archive.optimizer is not None:
        group = file.require_group("optimizer/vars")
        for index, array in enumerate(archive.optimizer.variables()):
            write(group, str(index), array)


def _read_tree(file: SafeFile, archive: ModelArchive) -> None:
    archive.weights = LayerWeights()
    _read_node(file, file.file, archive.weights, "", depth=0)
    archive.optimizer = _read_optimizer(file, archive.compile_config)


def _read_node(file: SafeFile, group: h5py.Group, node: LayerWeights, prefix: str, depth: int) -> None:
    """Fill `node` from `group`/vars, and hang every deeper group that has a `vars` below it."""
    if depth > 60:
        raise FileFormatError("its groups are nested too deeply; expected at most 60 levels.")
    for name, child in file.subgroups(group):
        if name == "vars":
            node.arrays = _numbered_arrays(file, child)
            own = file.attribute(child, "name")
            node.name = own if isinstance(own, str) else ""
            continue
        if depth == 0 and name in _NOT_LAYERS:
            continue
        # tf.keras 2.12 called the list of layers by another name
        path = prefix + ("layers" if name == "_layer_checkpoint_dependencies" else name)
        if "vars" in child:
            below = LayerWeights(path=path)
            node.children.append(below)
            _read_node(file, child, below, f"{path}/", depth + 1)
        else:
            _read_node(file, child, node, f"{path}/", depth + 1)
    if depth == 0:
        node.path = ""


def _numbered_arrays(file: SafeFile, group: h5py.Group) -> list[np.ndarray]:
    """Data sets "0", "1", … "10" in numeric order (HDF5 lists them as text). Named ones (seed states) are left out."""
    numbers = sorted(int(name) for name in group if name.isdecimal() and len(name) < 9)
    if numbers != list(range(len(numbers))):
        raise FileFormatError(f"the variables of {group.name} are numbered {numbers[:8]}; expected 0, 1, 2 ….")
    return [file.array(group, str(number)) for number in numbers]


def _read_optimizer(file: SafeFile, compile_config: dict[str, Any] | None) -> OptimizerState | None:
    for path in ("optimizer/vars", "optimizer/inner_optimizer/vars"):  # the second: inside a LossScaleOptimizer
        if path in file.file:
            variables = _numbered_arrays(file, file.group(file.file, path))
            if len(variables) > 1 or path.endswith("inner_optimizer/vars"):
                return from_keras3_variables(variables, compile_config)
    return None
