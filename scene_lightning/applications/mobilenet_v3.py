"""MobileNetV3, small and large. Keras: `keras.applications.mobilenet_v3`. Howard et al., 2019.

As in Keras, the networks take 0 to 255 and scale it themselves unless `include_preprocessing=False`, and
`preprocess_input` changes nothing.
"""

from __future__ import annotations

from typing import Any

from scene_lightning.applications.building.constructors import MobileNetV3Constructor
from scene_lightning.applications.building.network import Request, TorchNetwork, build, documented
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.models import Functional


def _network(size: str, alpha: float, dropout_rate: float, scales: bool) -> TorchNetwork:
    return TorchNetwork(
        title=f"MobileNetV3{size}", model_name=f"MobileNetV3{size}", torch_name=f"mobilenet_v3_{size.lower()}",
        normalises=scales, names_pooling=True, options={"width_mult": alpha, "dropout": dropout_rate},
    )  # fmt: skip


def _constructor(size: str) -> MobileNetV3Constructor:
    def construct(
        input_shape: Any = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str | None = None,
    ) -> Functional:
        if minimalistic:
            raise UnsupportedError("MobileNetV3(minimalistic=True) is not in torchvision: use MobileNetV2(alpha=...).")
        if weights == "imagenet" and alpha != 1.0:
            raise InputError(
                "If imagenet weights are being loaded, `alpha` can be `1.0` only (torchvision has no others).  "
                f"Received: alpha={alpha}"
            )
        return build(
            _network(size, alpha, dropout_rate, include_preprocessing),
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
        )

    return documented(construct, _network(size, 1.0, 0.2, True), MobileNetV3Constructor)


MobileNetV3Small, MobileNetV3Large = _constructor("Small"), _constructor("Large")

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
