"""Stands for a name that is not supported, and says so with the program's line and the alternative once it is used.

Programs import names that they never use, so the import alone must not fail.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from scene_lightning._registry import nearest
from scene_lightning._usage_report import ledger
from scene_lightning.errors import UnsupportedError

_PACKAGE = str(Path(__file__).resolve().parents[1])

# A symbol, or the beginning of one → what to do instead.
_INSTEAD = {
    "tensorflow.lite": "Save the model with model.save('model.keras') and convert it with TensorFlow itself",
    "tensorflow.saved_model": "Save with model.save('model.keras'), or .h5 for older Keras",
    "tensorflow.saved_model.load": (
        "Load with keras.models.load_model(folder), which reads what Keras 2 wrote; for other folders build the "
        "network in code and take its weights: model.load_weights(folder)"
    ),
    "tensorflow.lite.Interpreter": (
        "A .tflite file runs in TensorFlow alone: load the .keras or .h5 that it was made from, with "
        "keras.models.load_model(path), and call model.predict(images)"
    ),
    "keras.experimental.export_saved_model": "Save with model.save('model.keras'), or .h5 for older Keras",
    "keras.experimental.load_from_saved_model": "Load with keras.models.load_model(folder)",
    "tensorflow.train": "Use model.save_weights()/load_weights(), and keras.optimizers for optimizers",
    "tensorflow.estimator": "Use keras.Model with compile() and fit()",
    "tensorflow.contrib": "TensorFlow 1's contrib is gone; look for the name in keras",
    "tensorflow.examples": "Use keras.datasets.mnist.load_data(), or image_dataset_from_directory",
    "tensorflow.summary": "Use tf.summary.create_file_writer(logdir), or keras.callbacks.TensorBoard(log_dir)",
    "tensorflow.tpu": "Choose the hardware with --accelerator and --devices",
    "tensorflow.raw_ops": "Use tf.math, tf.image or torch",
    "tensorflow.feature_column": "Prepare tables with scikit-learn",
    "tensorflow.compat.v1.placeholder": "Use keras.Input",
    "tensorflow.placeholder": "Use keras.Input",
    "tensorflow.TFRecordReader": "Use tf.data.TFRecordDataset(filenames)",
    "tensorflow.compat.v1.TFRecordReader": "Use tf.data.TFRecordDataset(filenames)",
    "tensorflow.io.parse_single_sequence_example": "Use tf.io.parse_single_example with FixedLenSequenceFeature",
    "tensorflow_datasets": (
        "It is made of TensorFlow's operations: use keras.datasets (mnist, fashion_mnist, cifar10, cifar100), or read "
        "the images from a folder, with image_dataset_from_directory"
    ),
    "tensorflow_hub": "Its modules are TensorFlow's graphs: take a network of keras.applications as the base",
    "tensorflow_model_optimization": "Save the model with model.save('model.keras') and prune or quantize it elsewhere",
    "tensorflow_probability": "Use torch.distributions",
    "tensorflow_io": "Read the images with tf.io, PIL or image_dataset_from_directory",
    "tensorflow_text": "Text is outside this package, which classifies images",
    "tensorflow_estimator": "Use keras.Model with compile() and fit()",
    "tf_slim": "Use keras.layers and keras.applications",
    "tflearn": "Use keras.layers, keras.Model and fit()",
    "theano": "The engine is PyTorch: leave it out",
    "tensorflowjs": "Save the model with model.save('model.keras') and convert it with tensorflowjs beside TensorFlow",
    "keras.datasets": "The data sets here are mnist, fashion_mnist, cifar10 and cifar100",
    "keras.wrappers": "Call model.fit() yourself; scikit-learn's split and scores work on its arrays",
    "keras.estimator": "Use model.fit()",
    "keras.preprocessing.text": "Text is outside this package, which classifies images",
    "keras.preprocessing.sequence": "Sequences are outside this package, which classifies images",
    "keras.utils.multi_gpu_model": "Leave it out, and run with --devices 2 (or fit(..., devices=2))",
    "keras.backend.gradients": "Use tf.GradientTape",
    "keras.experimental": "Look for the name in keras.optimizers or keras.layers",
}


def script_frame() -> FrameType | None:
    """The innermost frame that belongs to the program, not to this package or to Python's import system."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and not name.startswith("<frozen"):
            return frame
        frame = frame.f_back
    return None


def where_in_script() -> str:
    """`script.py, line 12`, or an empty string."""
    frame = script_frame()
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"


def advice(symbol: str, known: Iterable[str]) -> str:
    """What to use instead of `symbol`: the table's word, or the most similar of the `known` names."""
    parts = symbol.split(".")
    for length in range(len(parts), 0, -1):
        found = _INSTEAD.get(".".join(parts[:length]))
        if found is not None:
            return f"{found}."
    similar = nearest(parts[-1], known)
    if similar is not None:
        return f"The nearest supported name is {'.'.join([*parts[:-1], similar])}."
    return "Nothing here stands for it; torch's own functions work on the same tensors."


class Placeholder:
    """A name that was imported and is not supported: using it in any way raises UnsupportedError."""

    def __init__(self, symbol: str, known: Iterable[str] = ()) -> None:
        self.__dict__["_placeholder_for"] = symbol
        self.__dict__["_placeholder_known"] = tuple(known)

    def _refuse(self, attribute: str = "") -> NoReturn:
        symbol = self.__dict__["_placeholder_for"] + attribute
        where = where_in_script()
        raise UnsupportedError(
            f"{symbol} is not supported by this engine{f' ({where})' if where else ''}. "
            f"{advice(symbol, self.__dict__['_placeholder_known'])}"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name.startswith("_ipython") or name.startswith("_repr"):
            raise AttributeError(name)
        self._refuse(f".{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        """A switch of something that is not here: kept, without effect."""
        ledger.ignore(f"{self.__dict__['_placeholder_for']}.{name} = {value!r}", "it is not here")
        self.__dict__[name] = value

    def __getitem__(self, key: Any) -> NoReturn:
        self._refuse()

    def __iter__(self) -> NoReturn:
        self._refuse()

    def __enter__(self) -> NoReturn:
        self._refuse()

    def __exit__(self, *_: object) -> None:
        """Never reached: `__enter__` raises."""

    def __mro_entries__(self, bases: Any) -> NoReturn:
        self._refuse()

    def __instancecheck__(self, instance: Any) -> bool:
        return False  # nothing is an instance of a class that does not exist here

    def __repr__(self) -> str:
        return f"<unsupported {self.__dict__['_placeholder_for']}>"
