"""ConvNeXt Tiny to Large. Keras: `keras.applications.convnext`. Liu et al., 2022.

As in Keras, the networks take 0 to 255 and scale it themselves, and `preprocess_input` changes nothing. The scale of
each channel at the end of a block is a 1x1 DepthwiseConv2D here.
"""

from __future__ import annotations

from typing import Any

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.applications.building.constructors import ConvNeXtConstructor
from scene_lightning.applications.building.network import Request, TorchNetwork, build, documented
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input
from scene_lightning.models import Functional


def _network(size: str, scales: bool = True) -> TorchNetwork:
    lower = f"convnext_{size.lower()}"
    return TorchNetwork(title=f"ConvNeXt{size}", model_name=lower, torch_name=lower, normalises=scales)


def _constructor(size: str) -> ConvNeXtConstructor:
    def construct(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str | None = None,
    ) -> Functional:
        return build(
            _network(size, include_preprocessing),
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
        )

    return documented(construct, _network(size), ConvNeXtConstructor)


ConvNeXtTiny, ConvNeXtSmall, ConvNeXtBase, ConvNeXtLarge = map(_constructor, ("Tiny", "Small", "Base", "Large"))

__all__ = [
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "decode_predictions",
    "preprocess_input",
]  # fmt: skip

explain_missing_names(__name__, __all__)
