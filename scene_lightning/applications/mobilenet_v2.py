"""MobileNetV2. Keras: `keras.applications.mobilenet_v2`. Sandler et al., 2018."""

from __future__ import annotations

from typing import Any

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import Request, TorchNetwork, build
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input
from scene_lightning.errors import InputError
from scene_lightning.models import Functional


def _network(alpha: float, rows: int | None = 224) -> TorchNetwork:
    return TorchNetwork(
        title="MobileNetV2", model_name=f"mobilenetv2_{alpha:0.2f}_{rows}", torch_name="mobilenet_v2",
        rename=layer_names.mobilenet_v2, skipped=frozenset({"classifier.0"}), options={"width_mult": alpha},
    )  # fmt: skip


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """MobileNetV2 for images `(batch, height, width, 3)`, by default 224 x 224. Keras: `applications.MobileNetV2`.

    Its input goes through `mobilenet_v2.preprocess_input` first. Source: Sandler et al., 2018.

    Args:
        input_shape: (height, width, channels) of one image, at least 32 a side; None takes (224, 224, 3) with the top,
            and images of any size without.
        alpha: width: the number of filters is multiplied by it; ImageNet's weights are there for 1 only (in Keras for
            more).
        include_top: with the classifier.
        weights: "imagenet", None for random ones, or a file: torchvision's (.pth, .safetensors) or this network's own
            (.keras, .h5, .weights.h5, .ckpt).
        input_tensor: a symbolic tensor to build on instead of a new `Input`.
        pooling: without the top: "avg" or "max" over the last feature maps; None leaves these.
        classes: of the classifier.
        classifier_activation: of the classifier; None for logits.
        name: the model's name.

    Raises:
        InputError: impossible arguments.
        DataError: the ImageNet weights are not here and cannot be downloaded; the message says where to put them.
    """
    if weights == "imagenet" and alpha != 1.0:
        raise InputError(
            "If imagenet weights are being loaded, `alpha` can be `1.0` only (torchvision has no others).  "
            f"Received: alpha={alpha}"
        )
    rows = input_shape[0] if input_shape and len(input_shape) == 3 else 224
    return build(
        _network(alpha, rows or 224),
        Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
    )


__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
