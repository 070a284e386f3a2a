"""Inception v3. Keras: `keras.applications.inception_v3`. Szegedy et al., 2015. The blocks end in `mixed0` … `mixed10`.

torchvision's weights take -1 to 1, as Keras' do; its second classifier is left out.
"""

from __future__ import annotations

from scene_lightning.applications.building import layer_names
from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

InceptionV3 = constructor(
    TorchNetwork(
        title="InceptionV3", model_name="inception_v3", torch_name="inception_v3", default_size=299, min_size=75,
        rename=layer_names.inception_v3, options={"aux_logits": False, "transform_input": False, "init_weights": False},
    )
)  # fmt: skip
"""Inception v3, by default for 299 x 299. Keras: `applications.InceptionV3`."""

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
