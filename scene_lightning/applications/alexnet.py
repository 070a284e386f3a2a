"""AlexNet, of the paper's literature review; Keras has none. Krizhevsky, 2014, as in torchvision."""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input

AlexNet = constructor(
    TorchNetwork(
        title="AlexNet", model_name="alexnet", torch_name="alexnet", min_size=63,
        rename=layer_names.by_table(layer_names.ALEXNET),
        skipped=frozenset({"avgpool"}),  # as with VGG: feature maps of any size are flattened
    )
)  # fmt: skip
"""AlexNet, by default for 224 x 224. Not in Keras."""

__all__ = ["AlexNet", "decode_predictions", "preprocess_input"]
