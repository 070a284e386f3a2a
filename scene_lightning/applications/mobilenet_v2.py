"""MobileNetV2. Keras: `keras.applications.mobilenet_v2`. Sandler et al., 2018."""

from __future__ import annotations

from typing import Any

from scene_lightning.applications import _names
from scene_lightning.applications._backbone import Request, TorchNetwork, build, documented
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input
from scene_lightning.errors import InputError
from scene_lightning.models import Functional


def _network(alpha: float, rows: int | None = 224) -> TorchNetwork:
    return TorchNetwork(
        title="MobileNetV2", model_name=f"mobilenetv2_{alpha:0.2f}_{rows}", torch_name="mobilenet_v2",
        rename=_names.mobilenet_v2, skipped=frozenset({"classifier.0"}), options={"width_mult": alpha},
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


documented(MobileNetV2, _network(1.0))

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
