"""A path in; which kind of model file lies there out, told by content, not by its name."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Literal

from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import reading
from scene_lightning.saving._hdf5 import SafeFile

Format = Literal["keras", "weights_h5", "legacy_h5", "ckpt", "safetensors", "saved_model", "tf_checkpoint"]
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_EXPECTED = (
    "a model file: .keras, .h5, .weights.h5, .ckpt, .safetensors, a SavedModel folder, or a TensorFlow checkpoint's "
    "prefix"
)


def sniff(path: str | os.PathLike[str]) -> Format:
    """The kind of model file at `path`.

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
        if not place.exists() and place.with_name(f"{place.name}.index").is_file():
            return "tf_checkpoint"
        with open(place, "rb") as handle:
            start = handle.read(9)
        if start.startswith(b"PK\x03\x04"):
            return _kind_of_zip(place)
        if start[:8] == _HDF5_SIGNATURE:
            return _kind_of_hdf5(place)
        if start[8:] == b"{" and int.from_bytes(start[:8], "little") < place.stat().st_size:
            return "safetensors"
        raise FileFormatError("its first bytes are neither a zip's nor HDF5's." if start else "it is empty.")


def _kind_of_zip(path: Path) -> Format:
    with zipfile.ZipFile(path) as members:
        names = members.namelist()
    if "config.json" in names:
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        return "ckpt"
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
