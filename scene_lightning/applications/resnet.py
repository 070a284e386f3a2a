"""Residual networks of 50, 101 and 152 layers. Keras: `keras.applications.resnet`. He et al., 2015.

torchvision's blocks step down in the 3x3 convolution, Keras' in the first 1x1; the layers have Keras' names, but Keras'
own weight files do not fit.
"""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.constructors import Constructor
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input


def _resnet(depth: int) -> Constructor:
    return constructor(
        TorchNetwork(
            title=f"ResNet{depth}", model_name=f"resnet{depth}", torch_name=f"resnet{depth}", rename=layer_names.resnet,
            names_pooling=True,
        )
    )  # fmt: skip


ResNet50 = _resnet(50)
"""ResNet with 50 layers, by default for 224 x 224. Keras: `applications.ResNet50`."""
ResNet101 = _resnet(101)
"""ResNet with 101 layers, by default for 224 x 224. Keras: `applications.ResNet101`."""
ResNet152 = _resnet(152)
"""ResNet with 152 layers, by default for 224 x 224. Keras: `applications.ResNet152`."""

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
