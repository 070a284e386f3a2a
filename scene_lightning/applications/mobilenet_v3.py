"""MobileNetV3, small and large. Keras: `keras.applications.mobilenet_v3`. Howard et al., 2019.

As in Keras, the networks take 0 to 255 and scale it themselves unless `include_preprocessing=False`, and
`preprocess_input` changes nothing.
"""

from __future__ import annotations

from typing import Any

from scene_lightning.applications.building.constructors import MobileNetV3Constructor
from scene_lightning.applications.building.network import Request, TorchNetwork, constructor_as
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input
from scene_lightning.errors import InputError, UnsupportedError


def _changes(request: Request, alpha: float, minimalistic: bool, dropout_rate: float) -> dict[str, Any]:
    if minimalistic:
        raise UnsupportedError("MobileNetV3(minimalistic=True) is not in torchvision: use MobileNetV2(alpha=...).")
    if request.weights == "imagenet" and alpha != 1.0:
        raise InputError(
            "If imagenet weights are being loaded, `alpha` can be `1.0` only (torchvision has no others).  "
            f"Received: alpha={alpha}"
        )
    return {"options": {"width_mult": alpha, "dropout": dropout_rate}}


def _constructor(size: str) -> MobileNetV3Constructor:
    network = TorchNetwork(
        title=f"MobileNetV3{size}", model_name=f"MobileNetV3{size}", torch_name=f"mobilenet_v3_{size.lower()}",
        normalises=True, names_pooling=True,
    )  # fmt: skip
    made: MobileNetV3Constructor = constructor_as(MobileNetV3Constructor, network, _changes)
    return made


MobileNetV3Small = _constructor("Small")
"""MobileNetV3 Small, by default for 224 x 224. Keras: `applications.MobileNetV3Small`."""
MobileNetV3Large = _constructor("Large")
"""MobileNetV3 Large, by default for 224 x 224. Keras: `applications.MobileNetV3Large`."""

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
