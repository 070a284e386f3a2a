"""Finds the layer that gives a classifier's logits, and what enters it: the features of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning import models
from scene_lightning.errors import InputError
from scene_lightning.layers import Activation, Dense, Softmax


def last_dense(model: Any, *, several_labels: bool = False) -> Dense:
    """Find the layer that gives the logits; what makes probabilities of them may be a layer of its own.

    Args:
        model: the model to look through.
        several_labels: whether it gives an image any number of labels, each with a sigmoid of its own.

    Raises:
        InputError: the model does not end in a Dense layer with softmax or no activation, or of one unit with sigmoid;
            of several labels, in one with sigmoid or no activation.
    """
    layers: list[Any] = list(model.layers)
    if not layers:
        raise InputError("An exported .onnx file has no layers. Expected the model file that it was exported from.")
    ending = "softmax" if isinstance(layers[-1], Softmax) else layers[-1].get_config().get("activation")
    if isinstance(layers[-1], Activation | Softmax):
        layers = [layer for layer in layers[-2:-1] if layer.get_config().get("activation") == "linear"]
    last = layers[-1] if layers else None
    if several_labels:
        if isinstance(last, Dense) and ending in ("sigmoid", "linear"):
            return last
    elif isinstance(last, Dense) and (ending in ("softmax", "linear") or (ending == "sigmoid" and last.units == 1)):
        return last
    raise InputError(
        "The model does not end in a Dense layer with softmax or no activation, or of one unit with sigmoid. Expected "
        "one: its weights take the temperature."
    )


def with_features(model: Any) -> Any:
    """Make the model that gives [features (N, D), the model's own outputs], of the same layers.

    Args:
        model: a Sequential or functional model that `last_dense` finds a layer in.

    Raises:
        InputError: as `last_dense`; a model whose layers are not connected as a graph.
    """
    features = getattr(last_dense(model), "input", None)
    if features is None or len(features.shape) != 2 or not getattr(model, "inputs", None):
        raise InputError(
            "A rejection rule needs what enters the last layer. Expected a Sequential or functional model whose last "
            "layer takes (batch, features)."
        )
    return models.Model(model.inputs, [features, model.outputs[0]])


def logits_of(layer: Dense, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the logits (N, K), or (N, 1), from the features.

    Args:
        layer: as `last_dense` found it.
        features: (N, D).
    """
    kernel, *bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    logits = np.asarray(features, np.float64) @ kernel
    return logits + bias[0] if bias else logits
