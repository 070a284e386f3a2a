"""Checks the arguments of `keras.applications`' networks, in Keras' words, and makes their inputs."""

from __future__ import annotations

import os
import warnings
from typing import Any

from scene_lightning import activations
from scene_lightning._settings import image_data_format
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers import Input
from scene_lightning.layers.base.symbolic import KerasTensor

Shape = tuple[int | None, ...]


def check_weights(weights: Any, include_top: bool, classes: int, classifier_activation: Any) -> None:
    """Raise InputError for weights that cannot be meant, or that do not go with the top.

    Args:
        weights: "imagenet", a path or None.
        include_top: whether the classifier is asked for.
        classes: how many the classifier tells apart.
        classifier_activation: what the classifier ends in; None for logits.
    """
    if weights is not None and weights != "imagenet" and not _exists(weights):
        raise InputError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet' (pre-training on "
            f"ImageNet), or the path to the weights file to be loaded.  Received: weights={weights}"
        )
    if weights == "imagenet" and include_top and classes != 1000:
        raise InputError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000.  "
            f"Received classes={classes}"
        )
    if include_top and weights is not None:
        chosen = activations.get(classifier_activation)
        if chosen not in (activations.softmax, activations.linear):
            raise InputError(
                "Only `None` and `softmax` activations are allowed for the `classifier_activation` argument when using "
                f"pretrained weights, with `include_top=True`; Received: classifier_activation={classifier_activation}"
            )


def _exists(path: Any) -> bool:
    try:
        return os.path.exists(path)
    except TypeError:
        return False


def check_pooling(pooling: Any) -> None:
    """Raise InputError for anything but None, "avg" and "max" (Keras takes it for None and says nothing).

    Args:
        pooling: what was asked for.
    """
    if pooling not in (None, "avg", "max"):
        raise InputError(f"`pooling` should be None, 'avg' or 'max'. Received: pooling={pooling!r}")


def obtain_input_shape(
    input_shape: Any, default_size: int, min_size: int, require_flatten: bool, weights: Any
) -> Shape:
    """The input shape to build for. Keras: `applications.imagenet_utils.obtain_input_shape`.

    Args:
        input_shape: (height, width, channels) that was asked for; None for the default.
        default_size: height and width in pixels for which the network was published.
        min_size: smallest height and width in pixels.
        require_flatten: whether the classifier is there, which needs a known size.
        weights: "imagenet" demands three channels.

    Raises:
        InputError: not (H, W, C); smaller than `min_size`; another shape than the ImageNet top takes; a top on images
            of unknown size.
    """
    given = None if input_shape is None else tuple(input_shape)
    channels: int | None = 3
    if weights != "imagenet" and given and len(given) == 3:
        channels = given[-1]
        if channels not in (1, 3):
            warnings.warn(
                "This model usually expects 1 or 3 input channels. However, it was passed an input_shape with "
                f"{channels} input channels.",
                stacklevel=5,
            )
    default: Shape = (default_size, default_size, channels)
    if weights == "imagenet" and require_flatten:
        if given is not None and given != default:
            raise InputError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape` should be "
                f"{default}.  Received: input_shape={given}"
            )
        return default
    if not given:
        return default if require_flatten else (None, None, 3)
    if len(given) != 3:
        raise InputError("`input_shape` must be a tuple of three integers.")
    if given[-1] != 3 and weights == "imagenet":
        raise InputError(f"The input must have 3 channels; Received `input_shape={given}`")
    if any(side is not None and side < min_size for side in given[:2]):
        raise InputError(f"Input size must be at least {min_size}x{min_size}; Received: input_shape={given}")
    if require_flatten and None in given:
        raise InputError(
            f"If `include_top` is True, you should specify a static `input_shape`. Received: input_shape={given}"
        )
    return given


def image_input(input_tensor: Any, shape: Shape) -> KerasTensor:
    """The symbolic image that the network reads.

    Args:
        input_tensor: a symbolic image, or None for a new `Input`.
        shape: (height, width, channels) of a new one.
    """
    if image_data_format() != "channels_last":
        raise UnsupportedError(
            "The applications take channels_last images: keras.backend.set_image_data_format('channels_last') first."
        )
    if input_tensor is None:
        return Input(shape=shape)
    if not isinstance(input_tensor, KerasTensor):
        raise InputError(
            "`input_tensor` must be the output of `keras.layers.Input()` or of a layer called on one. "
            f"Received: {type(input_tensor).__name__}"
        )
    if input_tensor.ndim != 4:
        raise InputError(f"`input_tensor` must be images (N, H, W, C). Received the shape {input_tensor.shape}")
    return input_tensor
