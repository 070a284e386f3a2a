"""Residual networks of 50, 101 and 152 layers. Keras: `keras.applications.resnet`. He et al., 2015.

torchvision's blocks step down in the 3x3 convolution, Keras' in the first 1x1; the layers have Keras' names, but Keras'
own weight files do not fit.
"""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input

ResNet50, ResNet101, ResNet152 = (
    constructor(
        TorchNetwork(
            title=f"ResNet{depth}", model_name=f"resnet{depth}", torch_name=f"resnet{depth}", rename=layer_names.resnet,
            names_pooling=True,
        )
    )
    for depth in (50, 101, 152)
)  # fmt: skip

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
