"""DenseNets of 121, 169 and 201 layers. Keras: `keras.applications.densenet`. Huang et al., 2016."""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input

_BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}

DenseNet121, DenseNet169, DenseNet201 = (
    constructor(
        TorchNetwork(
            title=f"DenseNet{depth}", model_name=f"densenet{depth}", torch_name=f"densenet{depth}",
            rename=layer_names.densenet(blocks), names_pooling=True,
        )
    )
    for depth, blocks in _BLOCKS.items()
)  # fmt: skip

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
