"""EfficientNet B0 to B7. Keras: `keras.applications.efficientnet`. Tan and Le, 2019.

As in Keras, the networks take 0 to 255 and scale it themselves; `preprocess_input` changes nothing.
"""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.constructors import Constructor
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input


def _efficientnet(number: int, size: int) -> Constructor:
    return constructor(
        TorchNetwork(
            title=f"EfficientNetB{number}", model_name=f"efficientnetb{number}", torch_name=f"efficientnet_b{number}",
            default_size=size, normalises=True, names_pooling=True, rename=layer_names.efficientnet(last=8),
        )
    )  # fmt: skip


EfficientNetB0 = _efficientnet(0, 224)
"""EfficientNet B0, by default for 224 x 224. Keras: `applications.EfficientNetB0`."""
EfficientNetB1 = _efficientnet(1, 240)
"""EfficientNet B1, by default for 240 x 240. Keras: `applications.EfficientNetB1`."""
EfficientNetB2 = _efficientnet(2, 260)
"""EfficientNet B2, by default for 260 x 260. Keras: `applications.EfficientNetB2`."""
EfficientNetB3 = _efficientnet(3, 300)
"""EfficientNet B3, by default for 300 x 300. Keras: `applications.EfficientNetB3`."""
EfficientNetB4 = _efficientnet(4, 380)
"""EfficientNet B4, by default for 380 x 380. Keras: `applications.EfficientNetB4`."""
EfficientNetB5 = _efficientnet(5, 456)
"""EfficientNet B5, by default for 456 x 456. Keras: `applications.EfficientNetB5`."""
EfficientNetB6 = _efficientnet(6, 528)
"""EfficientNet B6, by default for 528 x 528. Keras: `applications.EfficientNetB6`."""
EfficientNetB7 = _efficientnet(7, 600)
"""EfficientNet B7, by default for 600 x 600. Keras: `applications.EfficientNetB7`."""

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip
