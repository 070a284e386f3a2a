"""Asks the runtime that an exported file is for what it answers: onnxruntime, torch.export, Keras, or this package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning.data.decode import decode_for_graph, decode_image
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import InputError
from scene_lightning.exporters.agreement import Answered
from scene_lightning.inference.predictor import Predictor, RunOn, as_probabilities
from scene_lightning.runtime.onnx_model import OnnxModel

_KERAS = """
import sys
import numpy as np
import keras
model = keras.models.load_model(sys.argv[1], compile=False)
images = np.load(sys.argv[2], mmap_mode="r")
rows = [np.asarray(model.predict_on_batch(images[at:at + 32].astype("float32") * float(sys.argv[4])))
        for at in range(0, len(images), 32)]
np.save(sys.argv[3], np.concatenate(rows))
"""


def by_onnxruntime(path: Path, predictor: Predictor, paths: Sequence[str]) -> tuple[str, Answered]:
    """The runtime's name and version, and what it answers.

    Args:
        path: the exported file.
        predictor: the model that was exported.
        paths: N photographs.
    """
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}", onnx_answers(OnnxModel(path), paths)


def onnx_answers(model: OnnxModel, paths: Sequence[str]) -> Answered:
    """What an exported ONNX file answers.

    Args:
        model: the file.
        paths: N photographs.
    """
    return _answers(model.predict, paths, model.info, ruled=model.rejection is not None)


def by_torch_export(path: Path, predictor: Predictor, paths: Sequence[str]) -> tuple[str, Answered]:
    """As `by_onnxruntime`, by `torch.export.load`.

    Args:
        path: the exported file.
        predictor: the model that was exported.
        paths: N photographs.
    """
    program = torch.export.load(path).module()
    rows = []
    with torch.inference_mode():
        for photograph in paths:
            image = torch.from_numpy(decode_for_graph(photograph, predictor.info.spec))
            answered = program(image[None])
            rows.append((answered[0] if isinstance(answered, tuple) else answered).numpy()[0])
    return f"torch.export of torch {torch.__version__}", Answered(np.stack(rows))


def by_keras(path: Path, predictor: Predictor, paths: Sequence[str]) -> tuple[str, Answered]:
    """As `by_onnxruntime`, by the real Keras in a process of its own; by this package where Keras is not installed.

    Keras' files hold the network alone: the photographs are decoded, resized and scaled as `predict` does it.

    Args:
        path: the exported file.
        predictor: the model that was exported.
        paths: N photographs.
    """
    if importlib.util.find_spec("keras") is None:
        name, answered = by_this_package(path, predictor, paths)
        return f"{name} (Keras is not installed)", answered
    with tempfile.TemporaryDirectory() as folder:
        images, answers = Path(folder) / "images.npy", Path(folder) / "answers.npy"
        np.save(images, _loaded(predictor.info, paths))
        words = [sys.executable, "-c", _KERAS, str(path), str(images), str(answers), repr(predictor.info.rescale or 1)]
        quiet = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "torch"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **quiet}, check=False)
        if done.returncode or not answers.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"Not exported: Keras cannot load the file ({last[:300]}).")
        outputs = np.load(answers).astype(np.float32)
    return f"keras {importlib.metadata.version('keras')}", Answered(as_probabilities(outputs, predictor.model))


def by_this_package(path: Path, predictor: Predictor, paths: Sequence[str]) -> tuple[str, Answered]:
    """As `by_onnxruntime`, by `load_model`.

    Args:
        path: the exported file.
        predictor: the model that was exported.
        paths: N photographs.
    """
    loaded = Predictor.load(str(path), RunOn(), several_labels=True)
    return "load_model of scene_lightning", model_answers(loaded, paths)


def model_answers(predictor: Predictor, paths: Sequence[str]) -> Answered:
    """What a model answers.

    Args:
        predictor: the loaded model.
        paths: N photographs.
    """
    predict = partial(predictor.predict, verbose=False)
    return _answers(predict, paths, predictor.info, ruled=predictor.rejection is not None)


def _answers(predict: Callable[..., Any], paths: Sequence[str], info: ImageInfo, *, ruled: bool) -> Answered:
    rows, unknown = np.zeros((len(paths), len(info.class_names)), np.float32), np.zeros(len(paths), np.bool_)

    def take(positions: Sequence[int], *given: NDArray[np.float32]) -> None:
        rows[list(positions)] = given[-1]  # a model's outputs come before their probabilities

    def reject(positions: list[int]) -> None:
        unknown[positions] = True

    predict(paths, take, strict=True, on_rejected=reject)
    return Answered(rows, unknown if ruled else None)


RUNTIMES: dict[str, Callable[[Path, Predictor, Sequence[str]], tuple[str, Answered]]] = {
    "onnx": by_onnxruntime,
    "pt2": by_torch_export,
    "keras": by_keras,
    "h5": by_keras,
    "safetensors": by_this_package,
}


def _loaded(info: ImageInfo, paths: Sequence[str]) -> NDArray[np.uint8]:
    """(N, h, w, c) as the loader gives them."""
    images = np.empty((len(paths), *info.spec.shape), np.uint8)
    for place, photograph in enumerate(paths):
        images[place] = decode_image(photograph, info.spec)
    return images
