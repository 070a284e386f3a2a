"""Checks the further arguments of saving and loading: without meaning here, refused, or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scene_lightning._registry import did_you_mean
from scene_lightning._usage_report import ledger
from scene_lightning.errors import InputError, UnsupportedError

# Arguments of some Keras that change nothing here: how TensorFlow writes its own folders, and on what machine.
_WITHOUT_MEANING = {
    "save": ("options", "save_traces"),
    "save_weights": ("options",),
    "load_weights": ("options",),
    "load_model": ("options",),
}
_REFUSED = {
    "save": {
        "signatures": "they belong to TensorFlow's SavedModel folders, which are not written here",
        "zipped": "only zipped files are written; a name that ends in .keras gives one",
    },
    "save_weights": {"max_shard_size": "weights are written into one file; a name that ends in .weights.h5 gives one"},
    "load_weights": {"objects_to_skip": "skip_mismatch=True or by_name=True leave layers as they are"},
    "load_model": {},
}
_DEFAULTS: dict[str, tuple[Any, ...]] = {"zipped": (None, True), "objects_to_skip": (None, [], ())}


_CONVERTED = {
    ".tflite": "Save with model.save('model.keras') and convert that with TensorFlow: "
    "tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model('model.keras')).convert()",
    ".onnx": "Write it with model.export('model.onnx', format='onnx')",
}


def refuse_other_programs_files(path: Path) -> None:
    """Raise UnsupportedError for a name that asks for a file of another program, with the way to it.

    Args:
        path: the name that `save` was given.
    """
    cure = _CONVERTED.get(path.suffix.lower())
    if cure is not None:
        raise UnsupportedError(f"save() does not write {path.suffix} files, such as {path.name!r}. {cure}.")


def check_arguments(method: str, given: Mapping[str, Any], *own: str) -> None:
    """Take note of, or refuse, what a method was given beside its own arguments.

    Args:
        method: "save", "save_weights", "load_weights" or "load_model".
        given: further arguments: name → value.
        *own: the arguments that it has, for a hint at a misspelt one.
        own: the arguments that it has, for a hint at a misspelt one.

    Raises:
        UnsupportedError: an argument of Keras that this package cannot follow.
        InputError: one that no Keras has.
    """
    for name, value in given.items():
        if name in _WITHOUT_MEANING[method]:
            if value is not None:
                ledger.ignore(f"{method}({name}=)", "it says how TensorFlow is to write its own files")
        elif name in _REFUSED[method]:
            if value not in _DEFAULTS.get(name, (None,)):
                raise UnsupportedError(f"{method}({name}={value!r}) is not supported: {_REFUSED[method][name]}.")
        else:
            known = (*own, *_WITHOUT_MEANING[method], *_REFUSED[method])
            raise InputError(f"{method}() got an unexpected argument {name!r}.{did_you_mean(name, known)}")
