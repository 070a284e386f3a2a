"""EfficientNet B0 to B7. Keras: `keras.applications.efficientnet`. Tan and Le, 2019.

As in Keras, the networks take 0 to 255 and scale it themselves; `preprocess_input` changes nothing.
"""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input

_SIZES = (224, 240, 260, 300, 380, 456, 528, 600)

(
    EfficientNetB0, EfficientNetB1, EfficientNetB2, EfficientNetB3, EfficientNetB4, EfficientNetB5, EfficientNetB6,
    EfficientNetB7,
) = (
    constructor(
        TorchNetwork(
            title=f"EfficientNetB{number}", model_name=f"efficientnetb{number}", torch_name=f"efficientnet_b{number}",
            default_size=size, normalises=True, names_pooling=True,
            rename=layer_names.efficientnet(last=8),
        )
    )
    for number, size in enumerate(_SIZES)
)  # fmt: skip

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip
