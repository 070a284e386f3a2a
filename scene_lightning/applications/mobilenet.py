"""MobileNet, the first, in Keras' own layers and names, since torchvision has none.

Keras: `keras.applications.mobilenet`. Howard et al., 2017. Its published weights are Keras' own (.h5), and take
-1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scene_lightning import layers
from scene_lightning.applications.building.network import KerasNetwork, Request, build
from scene_lightning.applications.building.published_weights import Published
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from scene_lightning.errors import InputError
from scene_lightning.models import Functional

_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
_PUBLISHED_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
_PUBLISHED_SIZES = (128, 160, 192, 224)
_FILTERS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDED = (2, 4, 6, 12)


def _unit(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _body(alpha: float, depth_multiplier: int) -> Callable[[Any], Any]:
    def body(x: Any) -> Any:
        x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
        x = _unit(x, "conv1")
        for number, filters in enumerate(_FILTERS, 1):
            strided = number in _STRIDED
            if strided:
                x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
            x = layers.DepthwiseConv2D(
                3, strides=2 if strided else 1, padding="valid" if strided else "same", use_bias=False,
                depth_multiplier=depth_multiplier, name=f"conv_dw_{number}",
            )(x)  # fmt: skip
            x = _unit(x, f"conv_dw_{number}")
            x = layers.Conv2D(int(filters * alpha), 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
            x = _unit(x, f"conv_pw_{number}")
        return x

    return body


def _network(alpha: float, depth_multiplier: int, dropout: float, rows: int, published_rows: int) -> KerasNetwork:
    def top(x: Any, request: Request) -> Any:
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(request.classes, 1, padding="same", name="conv_preds")(x)
        x = layers.Reshape((request.classes,), name="reshape_2")(x)
        return layers.Activation(request.classifier_activation, name="predictions")(x)

    name = f"{_FOLDER}mobilenet_{_PUBLISHED_ALPHAS.get(alpha)}_{published_rows}_tf"
    return KerasNetwork(
        title="MobileNet", model_name=f"mobilenet_{alpha:0.2f}_{rows}", default_size=published_rows,
        body=_body(alpha, depth_multiplier), files=(Published(f"{name}.h5"), Published(f"{name}_no_top.h5")), top=top,
    )  # fmt: skip


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """MobileNet for images `(batch, height, width, 3)`, by default 224 x 224. Keras: `keras.applications.MobileNet`.

    Its input goes through `mobilenet.preprocess_input` first. Source: Howard et al., 2017.

    Args:
        input_shape: (height, width, channels) of one image, at least 32 a side; None takes (224, 224, 3) with the top,
            and images of any size without.
        alpha: width: the number of filters is multiplied by it; ImageNet's weights are there for 0.25, 0.5, 0.75 and 1.
        depth_multiplier: outputs a channel of the depthwise convolutions.
        dropout: rate of the dropout in front of the classifier.
        include_top: with the classifier.
        weights: "imagenet", None for random ones, or this network's file (.keras, .h5, .weights.h5, .ckpt).
        input_tensor: a symbolic tensor to build on instead of a new `Input`.
        pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
        classes: of the classifier.
        classifier_activation: of the classifier; None for logits.
        name: the model's name.

    Raises:
        InputError: impossible arguments.
        DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
    """
    if weights == "imagenet" and depth_multiplier != 1:
        raise InputError(
            "If imagenet weights are being loaded, depth multiplier must be 1.  "
            f"Received depth_multiplier={depth_multiplier}"
        )
    if weights == "imagenet" and alpha not in _PUBLISHED_ALPHAS:
        raise InputError(
            "If imagenet weights are being loaded, alpha can be one of`0.25`, `0.50`, `0.75` or `1.0` only.  "
            f"Received alpha={alpha}"
        )
    side = input_shape[0] if input_shape and len(input_shape) == 3 else None
    published = side if side in _PUBLISHED_SIZES and input_shape[1] == side else 224
    return build(
        _network(alpha, depth_multiplier, dropout, side or 224, published),
        Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
    )


__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
