"""Xception, in Keras' own layers and names, since torchvision has none. Keras: `keras.applications.xception`.

Chollet, 2017. Its published weights are Keras' own (.h5), and take -1 to 1.
"""

from __future__ import annotations

from typing import Any

from scene_lightning import layers
from scene_lightning.applications.building.network import KerasNetwork, constructor
from scene_lightning.applications.building.published_weights import Published
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/xception/"
_NAME = "xception_weights_tf_dim_ordering_tf_kernels"
_FILES = (
    Published(f"{_FOLDER}{_NAME}.h5", "0a58e3b7378bc2990ea3b43d5981f1f6"),
    Published(f"{_FOLDER}{_NAME}_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"),
)


def _separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def _shortcut(x: Any, filters: int) -> Any:
    x = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def _shrinking_block(x: Any, first: int, second: int, number: int) -> Any:
    """Two separable convolutions and a pooling beside a strided shortcut: half the sides."""
    shortcut = _shortcut(x, second)
    if number > 2:  # block 2 follows an activation
        x = layers.Activation("relu", name=f"block{number}_sepconv1_act")(x)
    x = _separable(x, first, f"block{number}_sepconv1")
    x = layers.Activation("relu", name=f"block{number}_sepconv2_act")(x)
    x = _separable(x, second, f"block{number}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.add([x, shortcut])


def _body(x: Any) -> Any:
    for number, (filters, stride) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{number}"
        x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_act")(x)
    for number, filters in ((2, 128), (3, 256), (4, 728)):
        x = _shrinking_block(x, filters, filters, number)
    for number in range(5, 13):
        before = x
        for part in (1, 2, 3):
            x = layers.Activation("relu", name=f"block{number}_sepconv{part}_act")(x)
            x = _separable(x, 728, f"block{number}_sepconv{part}")
        x = layers.add([x, before])
    x = _shrinking_block(x, 728, 1024, 13)
    for part, filters in ((1, 1536), (2, 2048)):
        x = _separable(x, filters, f"block14_sepconv{part}")
        x = layers.Activation("relu", name=f"block14_sepconv{part}_act")(x)
    return x


Xception = constructor(
    KerasNetwork(
        title="Xception", model_name="xception", default_size=299, min_size=71, body=_body, files=_FILES
    )
)  # fmt: skip
"""Xception, by default for 299 x 299. Keras: `applications.Xception`."""

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
