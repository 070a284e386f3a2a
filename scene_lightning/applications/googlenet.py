"""GoogLeNet (Inception v1), of the paper's literature review; Keras has none. Szegedy et al., 2014.

torchvision's weights take -1 to 1, as Keras' Inception does; its second classifiers are left out.
"""

from __future__ import annotations

from scene_lightning.applications.building.network import TorchNetwork, constructor
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

GoogLeNet = constructor(
    TorchNetwork(
        title="GoogLeNet", model_name="googlenet", torch_name="googlenet",
        options={"aux_logits": False, "transform_input": False, "init_weights": False},
    )
)  # fmt: skip
"""Inception v1, by default for 224 x 224. Not in Keras."""

__all__ = ["GoogLeNet", "decode_predictions", "preprocess_input"]
