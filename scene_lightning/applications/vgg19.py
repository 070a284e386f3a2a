"""VGG with 19 layers. Keras: `keras.applications.vgg19`. Simonyan and Zisserman, 2015."""

from __future__ import annotations

from scene_lightning.applications.building.layer_names import vgg
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input
from scene_lightning.applications.vgg16 import LEFT_OUT

VGG19 = constructor(
    TorchNetwork(
        title="VGG19", model_name="vgg19", torch_name="vgg19", rename=vgg((2, 2, 4, 4, 4)), skipped=LEFT_OUT,
        options={"init_weights": False},
    )
)  # fmt: skip
"""VGG with 19 layers, by default for 224 x 224. Keras: `applications.VGG19`."""

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
