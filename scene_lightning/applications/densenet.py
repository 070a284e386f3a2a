"""DenseNets of 121, 169 and 201 layers. Keras: `keras.applications.densenet`. Huang et al., 2016."""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.constructors import Constructor
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import standardized as preprocess_input


def _densenet(depth: int, blocks: tuple[int, ...]) -> Constructor:
    return constructor(
        TorchNetwork(
            title=f"DenseNet{depth}", model_name=f"densenet{depth}", torch_name=f"densenet{depth}",
            rename=layer_names.densenet(blocks), names_pooling=True,
        )
    )  # fmt: skip


DenseNet121 = _densenet(121, (6, 12, 24, 16))
"""DenseNet with 121 layers, by default for 224 x 224. Keras: `applications.DenseNet121`."""
DenseNet169 = _densenet(169, (6, 12, 32, 32))
"""DenseNet with 169 layers, by default for 224 x 224. Keras: `applications.DenseNet169`."""
DenseNet201 = _densenet(201, (6, 12, 48, 32))
"""DenseNet with 201 layers, by default for 224 x 224. Keras: `applications.DenseNet201`."""

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
