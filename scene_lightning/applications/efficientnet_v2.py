"""EfficientNetV2 S, M and L. Keras: `keras.applications.efficientnet_v2`. Tan and Le, 2021.

As in Keras, the networks take 0 to 255 and scale it themselves, and `preprocess_input` changes nothing. Of Keras' B0 to
B3 torchvision has neither networks nor weights.
"""

from __future__ import annotations

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.applications.building.constructors import ScalingConstructor
from scene_lightning.applications.building.network import TorchNetwork, scaling_constructor
from scene_lightning.applications.imagenet_utils import MEAN, STD, decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input

_HALF = (0.5, 0.5, 0.5)  # L alone was trained on -1 to 1


def _efficientnet_v2(
    size: str, side: int, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
) -> ScalingConstructor:
    return scaling_constructor(
        TorchNetwork(
            title=f"EfficientNetV2{size}", model_name=f"efficientnetv2-{size.lower()}", default_size=side,
            torch_name=f"efficientnet_v2_{size.lower()}", normalises=True, names_pooling=True, mean=mean, std=std,
        )
    )  # fmt: skip


EfficientNetV2S = _efficientnet_v2("S", 384)
"""EfficientNetV2 S, by default for 384 x 384. Keras: `applications.EfficientNetV2S`."""
EfficientNetV2M = _efficientnet_v2("M", 480)
"""EfficientNetV2 M, by default for 480 x 480. Keras: `applications.EfficientNetV2M`."""
EfficientNetV2L = _efficientnet_v2("L", 480, _HALF, _HALF)
"""EfficientNetV2 L, by default for 480 x 480. Keras: `applications.EfficientNetV2L`."""

__all__ = [
    "EfficientNetV2L",
    "EfficientNetV2M", "EfficientNetV2S", "decode_predictions", "preprocess_input",
]  # fmt: skip

explain_missing_names(__name__, __all__)
