"""Inception-ResNet v2, in Keras' own layers and names, since torchvision has none.

Keras: `keras.applications.inception_resnet_v2`. Szegedy et al., 2016. Its published weights are Keras' own (.h5), and
take -1 to 1. Keras scales the branches in a layer of its own kind; here it is a Rescaling and an Add.
"""

from __future__ import annotations

from typing import Any

from scene_lightning import layers
from scene_lightning.applications.building.network import KerasNetwork, constructor
from scene_lightning.applications.building.published_weights import Published
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/inception_resnet_v2/"
_NAME = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels"
_FILES = (
    Published(f"{_FOLDER}{_NAME}.h5", "e693bd0210a403b3192acc6073ad2e96"),
    Published(f"{_FOLDER}{_NAME}_notop.h5", "d19885ff4a710c122648d3b5c3b684e4"),
)
# The branches of a block: (filters, kernel) one after the other.
_BRANCHES: dict[str, tuple[tuple[tuple[int, Any], ...], ...]] = {
    "block35": (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))),
    "block17": (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))),
    "block8": (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))),
}


def _unit(x: Any, filters: int, kernel: Any, stride: int = 1, padding: str = "same", name: str | None = None) -> Any:
    x = layers.Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(scale=False, name=name and f"{name}_bn")(x)
    return layers.Activation("relu", name=name and f"{name}_ac")(x)


def _chain(x: Any, *steps: tuple[int, Any]) -> Any:
    for filters, kernel in steps:
        x = _unit(x, filters, kernel)
    return x


def _halved(x: Any, filters: int) -> Any:
    return _unit(x, filters, 3, stride=2, padding="valid")


def _block(x: Any, kind: str, number: int, scale: float, activated: bool = True) -> Any:
    """x + scale · (the branches, joined and brought to the channels of x)."""
    branches = [_chain(x, *steps) for steps in _BRANCHES[kind]]
    name = f"{kind}_{number}"
    mixed = layers.Concatenate(name=f"{name}_mixed")(branches)
    up = layers.Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_conv")(mixed)
    if scale != 1.0:
        up = layers.Rescaling(scale, name=f"{name}_scale")(up)
    x = layers.Add(name=f"{name}_add")([x, up])
    return layers.Activation("relu", name=f"{name}_ac")(x) if activated else x


def _body(x: Any) -> Any:
    x = _unit(x, 32, 3, stride=2, padding="valid")
    x = _unit(x, 32, 3, padding="valid")
    x = layers.MaxPooling2D(3, strides=2)(_unit(x, 64, 3))
    x = _unit(x, 80, 1, padding="valid")
    x = layers.MaxPooling2D(3, strides=2)(_unit(x, 192, 3, padding="valid"))
    first = _unit(x, 96, 1)
    second = _chain(x, (48, 1), (64, 5))
    third = _chain(x, (64, 1), (96, 3), (96, 3))
    pooled = _unit(layers.AveragePooling2D(3, strides=1, padding="same")(x), 64, 1)
    x = layers.Concatenate(name="mixed_5b")([first, second, third, pooled])
    for number in range(1, 11):
        x = _block(x, "block35", number, 0.17)
    first = _halved(x, 384)
    second = _halved(_chain(x, (256, 1), (256, 3)), 384)
    x = layers.Concatenate(name="mixed_6a")([first, second, layers.MaxPooling2D(3, strides=2)(x)])
    for number in range(1, 21):
        x = _block(x, "block17", number, 0.1)
    first = _halved(_chain(x, (256, 1)), 384)
    second = _halved(_chain(x, (256, 1)), 288)
    third = _halved(_chain(x, (256, 1), (288, 3)), 320)
    x = layers.Concatenate(name="mixed_7a")([first, second, third, layers.MaxPooling2D(3, strides=2)(x)])
    for number in range(1, 10):
        x = _block(x, "block8", number, 0.2)
    x = _block(x, "block8", 10, 1.0, activated=False)
    return _unit(x, 1536, 1, name="conv_7b")


InceptionResNetV2 = constructor(
    KerasNetwork(
        title="InceptionResNetV2", model_name="inception_resnet_v2", default_size=299, min_size=75, body=_body,
        files=_FILES,
    )
)  # fmt: skip
"""Inception-ResNet v2, by default for 299 x 299. Keras: `applications.InceptionResNetV2`."""

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]
