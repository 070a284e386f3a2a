"""Residual networks that normalise first, of 50, 101 and 152 layers, in Keras' own layers and names.

Keras: `keras.applications.resnet_v2`. He et al., 2016. torchvision has none; the published weights are Keras' own
(.h5), and take -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scene_lightning import layers
from scene_lightning.applications.building.constructors import Constructor
from scene_lightning.applications.building.network import KerasNetwork, constructor
from scene_lightning.applications.building.published_weights import Published
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
_EPSILON = 1.001e-5
_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_CHECKSUMS = {
    50: ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    101: ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    152: ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}


def _normalise(x: Any, name: str, act: str) -> Any:
    x = layers.BatchNormalization(epsilon=_EPSILON, name=name)(x)
    return layers.Activation("relu", name=act)(x)


def _block(x: Any, filters: int, stride: int, widens: bool, name: str) -> Any:
    """1x1, 3x3, 1x1 convolutions of the normalised input, added to the input."""
    first = _normalise(x, f"{name}_preact_bn", f"{name}_preact_relu")
    if widens:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(first)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(first)
    x = _normalise(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = _normalise(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _body(depth: int) -> Callable[[Any], Any]:
    def body(x: Any) -> Any:
        x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
        x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        for stage, count in enumerate(_BLOCKS[depth], 2):
            for number in range(1, count + 1):
                stride = 2 if number == count and stage < 5 else 1  # the last block of a stage steps down
                x = _block(x, 32 * 2 ** (stage - 1), stride, number == 1, f"conv{stage}_block{number}")
        return _normalise(x, "post_bn", "post_relu")

    return body


def _constructor(depth: int) -> Constructor:
    name, (whole, body) = f"{_FOLDER}resnet{depth}v2_weights_tf_dim_ordering_tf_kernels", _CHECKSUMS[depth]
    files = (Published(f"{name}.h5", whole), Published(f"{name}_notop.h5", body))
    return constructor(
        KerasNetwork(
            title=f"ResNet{depth}V2", model_name=f"resnet{depth}v2", body=_body(depth), files=files, names_pooling=True
        )
    )  # fmt: skip


ResNet50V2 = _constructor(50)
"""ResNet v2 with 50 layers, by default for 224 x 224. Keras: `applications.ResNet50V2`."""
ResNet101V2 = _constructor(101)
"""ResNet v2 with 101 layers, by default for 224 x 224. Keras: `applications.ResNet101V2`."""
ResNet152V2 = _constructor(152)
"""ResNet v2 with 152 layers, by default for 224 x 224. Keras: `applications.ResNet152V2`."""

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
