"""Finds out by its content which kind of model file lies at a path."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Literal

from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import reading
from scene_lightning.saving._hdf5 import SafeFile
from scene_lightning.saving.tensors_file import tensors_problem

Format = Literal["keras", "weights_h5", "legacy_h5", "ckpt", "safetensors", "saved_model", "tf_checkpoint"]
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
INSIDE = "model.keras"  # what a model is called that was saved under the name of a folder
_EXPECTED = (
    "a model file: .keras, .h5, .weights.h5, .ckpt, .safetensors, a SavedModel folder, or a TensorFlow checkpoint's "
    "prefix"
)


def sniff(path: str | os.PathLike[str]) -> Format:
    """Tell the kind of model file by its content.

    Args:
        path: the file, or the folder of a SavedModel, or the prefix of a TensorFlow checkpoint.

    Returns:
        "keras" (Keras 3's zip), "weights_h5" (its weights alone), "legacy_h5" (Keras 2's and 3's .h5, whole or weights
        only), "ckpt" (torch's zip), "safetensors", "saved_model" (TensorFlow's folder) or "tf_checkpoint" (what
        tf.keras' `save_weights("dir/ckpt")` wrote: `dir/ckpt.index` and its data).

    Raises:
        FileFormatError: nothing there, or something else.
    """
    with reading(path, _EXPECTED):
        place = Path(path)
        if place.is_dir():
            if (place / "saved_model.pb").is_file() or (place / "variables" / "variables.index").is_file():
                return "saved_model"
            raise FileFormatError("the folder has neither saved_model.pb nor variables/variables.index.")
        index = place.with_name(f"{place.name}.index")
        if not place.exists() and index.is_file():
            with open(index, "rb") as handle:
                if handle.read(4) == b"PK\x03\x04":
                    raise FileFormatError(
                        "tf.train.Checkpoint wrote it here, of several objects: tf.train.Checkpoint(...).restore(path)."
                    )
            return "tf_checkpoint"
        with open(place, "rb") as handle:
            start = handle.read(9)
        if start.startswith(b"PK\x03\x04"):
            return _kind_of_zip(place)
        if start[:8] == _HDF5_SIGNATURE:
            return _kind_of_hdf5(place)
        if start[8:] == b"{" and int.from_bytes(start[:8], "little") < place.stat().st_size:
            return "safetensors"
        raise FileFormatError(_foreign_format(place, start) if start else "it is empty.")


def stored_at(path: str | os.PathLike[str]) -> str:
    """Find where the model or weights of a name lie: under it, in the folder of that name, or in `<path>.index`.

    The last is where a program with TensorFlow's names puts them with `save_weights`.

    Args:
        path: what the program called it.
    """
    name = os.fspath(path)
    if os.path.isfile(os.path.join(name, INSIDE)) and not os.path.exists(os.path.join(name, "saved_model.pb")):
        return os.path.join(name, INSIDE)
    if not os.path.exists(name) and os.path.isfile(f"{name}.index"):
        with open(f"{name}.index", "rb") as handle:
            if handle.read(8) == _HDF5_SIGNATURE:
                return f"{name}.index"
    return name


def _foreign_format(path: Path, start: bytes) -> str:
    """What a file that is none of ours seems to be, and what to do with it."""
    ending = path.suffix.lower()
    if start[4:8] == b"TFL3" or ending == ".tflite":
        return (
            "it is a TensorFlow Lite model, which only TensorFlow runs. Load the .keras or .h5 file that it was "
            "converted from."
        )
    if ending == ".onnx":
        return (
            "it is an ONNX model, for onnxruntime: `predict` and `evaluate` take one that `export` wrote. "
            "Load the model file that it was exported from."
        )
    if ending == ".pb":
        return (
            "a .pb file is a graph of TensorFlow's. Of a SavedModel give the folder that it lies in; a frozen graph of "
            "TensorFlow 1 cannot be read."
        )
    if start.startswith(b"version h"):
        return "it is the pointer that Git LFS keeps in place of a large file. Fetch the file itself: git lfs pull."
    if start.lstrip()[:1] == b"<":
        return "it is a web page, of a download that failed perhaps. Download the file itself."
    if ending == ".safetensors":
        return f"it is no sound safetensors file: {tensors_problem(path)}"
    if start.lstrip()[:1] == b"{":
        return (
            "it is JSON text: an architecture without weights, perhaps. keras.models.model_from_json(text) makes that, "
            "and model.load_weights(path) fills it."
        )
    if ending in (".pt", ".pth", ".pkl", ".pickle", ".joblib"):
        return (
            "it is a pickle, which can run code and is not opened. Where it was made, save a state_dict() in a "
            "checkpoint, or the model with model.save('model.keras')."
        )
    return "its first bytes are neither a zip's nor HDF5's."


def _kind_of_zip(path: Path) -> Format:
    with zipfile.ZipFile(path) as members:
        names = members.namelist()
    if "config.json" in names:
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        return "ckpt"
    if names and all(name.endswith(".npy") for name in names):
        raise FileFormatError("it holds NumPy arrays: model.set_weights(list(np.load(path).values())) takes them.")
    raise FileFormatError("it is a zip with neither config.json (Keras) nor data.pkl (PyTorch) inside.")


def _kind_of_hdf5(path: Path) -> Format:
    with SafeFile(path) as file:
        root = file.file
        if "model_weights" in root or any(key in root.attrs for key in ("model_config", "layer_names", "layer_names0")):
            return "legacy_h5"
        if any(name in root for name in ("layers", "_layer_checkpoint_dependencies", "vars", "optimizer")):
            return "weights_h5"
        if len(root):  # a subclassed model's layers lie under their attributes' names
            return "weights_h5"
    raise FileFormatError("it is an HDF5 file without a Keras model inside.")
