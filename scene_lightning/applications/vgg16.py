"""VGG with 16 layers. Keras: `keras.applications.vgg16`. Simonyan and Zisserman, 2015."""

from __future__ import annotations

from scene_lightning.applications.building.layer_names import vgg
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input

# Keras' VGG has no Dropout, and flattens the feature maps of any size instead of pooling them to 7x7.
LEFT_OUT = frozenset({"avgpool", "classifier.2", "classifier.5"})

VGG16 = constructor(
    TorchNetwork(
        title="VGG16", model_name="vgg16", torch_name="vgg16", rename=vgg((2, 2, 3, 3, 3)), skipped=LEFT_OUT,
        options={"init_weights": False},
    )
)  # fmt: skip
"""VGG with 16 layers, by default for 224 x 224. Keras: `applications.VGG16`."""

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
