"""Drawings, tables and class names under Keras 1's and 2's names. `keras.utils.*`."""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning._usage_report import ledger
from scene_lightning.layers import deserialize
from scene_lightning.utils import plot_model


def plot(model: Any, to_file: Any = "model.png", **options: Any) -> Any:
    """`plot_model(model, to_file)`. Keras 1: `keras.utils.visualize_util.plot`.

    Args:
        model: a built model.
        to_file: the picture's path.
        **options: further arguments of `plot_model`.
    """
    return plot_model(model, to_file=to_file, **options)


def print_summary(model: Any, *args: Any, **options: Any) -> None:
    """`model.summary()`. Keras 2: `keras.utils.layer_utils.print_summary`.

    Args:
        model: a built model.
        *args, **options: arguments of `summary`.
    """
    model.summary(*args, **options)


def multi_gpu_model(model: Any, gpus: Any = None, *_: Any, **__: Any) -> Any:
    """Return the model itself: `fit(devices=...)`, or the runner's --devices, spreads batches over GPUs here.

    Args:
        model: any model.
        gpus: ignored, and named in the report.
        *_, **__: ignored.
    """
    ledger.ignore(f"multi_gpu_model(gpus={gpus!r})", "use --devices")
    return model


def categorical_probas_to_classes(p: Any) -> Any:
    """Turn probabilities (N, classes) into the index of the greatest, (N,).

    Args:
        p: (N, classes).
    """
    return np.argmax(p, axis=1)


def probas_to_classes(y_pred: Any) -> Any:
    """Turn probabilities (N, classes) into classes (N,); one sigmoid output (N, 1) into 0 or 1, (N,).

    Args:
        y_pred: (N, classes) or (N, 1), each 0..1.
    """
    if len(y_pred.shape) > 1 and y_pred.shape[1] > 1:
        return categorical_probas_to_classes(y_pred)
    return np.array([1 if p > 0.5 else 0 for p in y_pred])


def convert_all_kernels_in_model(model: Any) -> None:
    """Do nothing: Theano flipped its kernels, and a file's layout is known when it is read.

    Args:
        model: any model.
    """


layer_from_config = deserialize

__all__ = [
    "categorical_probas_to_classes", "convert_all_kernels_in_model", "layer_from_config", "multi_gpu_model", "plot",
    "print_summary", "probas_to_classes",
]  # fmt: skip
