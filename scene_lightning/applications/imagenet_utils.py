"""Prepares images for networks trained on ImageNet, and names what they predict.

Keras: `keras.applications.imagenet_utils`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import torch
from torchvision.models import AlexNet_Weights

from scene_lightning._settings import image_data_format
from scene_lightning.applications.building.published_weights import keras_folder
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers import Rescaling
from scene_lightning.layers.base.symbolic import KerasTensor

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's red, green and blue, in 0..1
STD = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, in 0..255


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "torch") -> Any:
    """Prepare images of 0 to 255 for a network; the input is left as it is.

    Keras: `keras.applications.imagenet_utils.preprocess_input`. Each network's module has a `preprocess_input` of its
    own, which knows the mode.

    Args:
        x: RGB images `(height, width, 3)` or `(batch, height, width, 3)`: an array, a tensor (integers too) or a
            symbolic tensor.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        mode: "torch": 0 to 1, less ImageNet's mean, by its deviation: for torchvision's weights, hence the default here
            (Keras' is "caffe", for Keras' own VGG and ResNet weights). "tf": -1 to 1. "caffe": BGR less the mean.

    Returns:
        float32 (float64 stays), of the shape of `x`.

    Raises:
        InputError: an unknown mode or data_format, or other than 3 channels.
    """
    if mode not in ("caffe", "tf", "torch"):
        raise InputError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}")
    layout = data_format or image_data_format()
    if layout not in ("channels_first", "channels_last"):
        raise InputError(
            "Expected data_format to be one of `channels_first` or `channels_last`. "
            f"Received: data_format={data_format}"
        )
    if isinstance(x, KerasTensor):
        return _symbolic(x, layout, mode)
    is_tensor = isinstance(x, torch.Tensor)
    images: Any = x if is_tensor else np.asarray(x)
    if is_tensor and not images.is_floating_point():
        images = images.float()
    elif not is_tensor and not np.issubdtype(images.dtype, np.floating):
        images = images.astype("float32")
    if mode == "tf":
        return images / 127.5 - 1.0
    axis = -3 if layout == "channels_first" else -1
    if images.ndim not in (3, 4) or images.shape[axis] != 3:
        raise InputError(f"Expected images with 3 channels ({layout}). Received the shape {tuple(images.shape)}")
    if mode == "caffe":
        flipped = images.flip(axis) if is_tensor else np.flip(images, axis)
        return flipped - _beside(_CAFFE_MEAN, images, axis)
    return (images / 255.0 - _beside(MEAN, images, axis)) / _beside(STD, images, axis)


def _beside(values: tuple[float, ...], images: Any, axis: int) -> Any:
    """Three numbers, shaped to go with the channels of `images`."""
    shape = (3,) if axis == -1 else (3, 1, 1)
    if isinstance(images, torch.Tensor):
        return torch.tensor(values, dtype=images.dtype, device=images.device).reshape(shape)
    return np.asarray(values, dtype=images.dtype).reshape(shape)


def _symbolic(x: KerasTensor, layout: str, mode: str) -> KerasTensor:
    """The same as a Rescaling layer in a functional model."""
    if mode == "tf":
        return Rescaling(1 / 127.5, offset=-1.0)(x)
    if mode == "caffe" or layout == "channels_first":
        raise UnsupportedError(
            "preprocess_input on a symbolic tensor takes channels_last images and the modes 'torch' and 'tf'. Apply it "
            "to the arrays instead, or use ImageDataGenerator(preprocessing_function=preprocess_input)."
        )
    scale = [1 / (255 * deviation) for deviation in STD]
    offset = [-mean / deviation for mean, deviation in zip(MEAN, STD, strict=True)]
    return Rescaling(scale, offset=offset)(x)


def standardized(x: Any, data_format: str | None = None) -> Any:
    """Prepare RGB images for torchvision's weights: 0 to 1, less ImageNet's mean, by its deviation.

    Keras' own VGG and ResNet weights want BGR less the mean; the weights here do not: the same line is right.

    Args:
        x: images of 0 to 255, `(height, width, 3)` or `(batch, height, width, 3)`: an array, tensor or symbolic tensor.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.

    Returns:
        float32 (float64 stays), of the shape of `x`.
    """
    return preprocess_input(x, data_format, mode="torch")


def from_minus_one_to_one(x: Any, data_format: str | None = None) -> Any:
    """Prepare images by scaling them to -1 to 1, as Keras does for this network.

    Args:
        x: images of 0 to 255, `(height, width, 3)` or `(batch, height, width, 3)`: an array, tensor or symbolic tensor.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.

    Returns:
        float32 (float64 stays), of the shape of `x`.
    """
    return preprocess_input(x, data_format, mode="tf")


def unchanged(x: Any, data_format: str | None = None) -> Any:
    """Give the images back as they are: these networks scale 0 to 255 themselves, as in Keras.

    Args:
        x: images of 0 to 255.
        data_format: without effect.
    """
    return x


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """Name the likeliest of ImageNet's 1000 classes for each image.

    The names are torchvision's. The ids are WordNet's where Keras' `imagenet_class_index.json` lies in its cache folder
    (then its names too), and `class_<number>` otherwise: nothing is downloaded for them.

    Args:
        preds: probabilities `(samples, 1000)`, as a network with its top predicts them.
        top: how many classes an image.

    Returns:
        For each image a list of (id, class name, probability), the likeliest first.

    Raises:
        InputError: not of the shape (samples, 1000).
    """
    values = preds.detach().cpu().numpy() if isinstance(preds, torch.Tensor) else np.asarray(preds)
    if values.ndim != 2 or values.shape[1] != 1000:
        raise InputError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). "
            f"Received array with shape: {values.shape}"
        )
    classes = _classes()
    order = np.argsort(values, axis=1)[:, ::-1][:, :top]
    return [[(*classes[i], row[i]) for i in chosen] for row, chosen in zip(values, order, strict=True)]


@cache
def _classes() -> list[tuple[str, str]]:
    index = keras_folder() / "imagenet_class_index.json"
    if index.is_file():
        try:
            table = json.loads(index.read_text(encoding="utf-8"))
            return [(str(table[str(i)][0]), str(table[str(i)][1])) for i in range(1000)]
        except (ValueError, KeyError, IndexError, TypeError):
            raise InputError(f"{str(index)!r} is damaged. Delete it, or put Keras' file there again.") from None
    names = AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
    return [(f"class_{number}", name.replace(" ", "_")) for number, name in enumerate(names)]
