"""ConvNeXt Tiny to Large. Keras: `keras.applications.convnext`. Liu et al., 2022.

As in Keras, the networks take 0 to 255 and scale it themselves, and `preprocess_input` changes nothing. The scale of
each channel at the end of a block is a 1x1 DepthwiseConv2D here.
"""

from __future__ import annotations

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.applications.building.constructors import ConvNeXtConstructor
from scene_lightning.applications.building.network import TorchNetwork, constructor_as
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import unchanged as preprocess_input


def _constructor(size: str) -> ConvNeXtConstructor:
    name = f"convnext_{size.lower()}"
    network = TorchNetwork(title=f"ConvNeXt{size}", model_name=name, torch_name=name, normalises=True)
    made: ConvNeXtConstructor = constructor_as(ConvNeXtConstructor, network)
    return made


ConvNeXtTiny = _constructor("Tiny")
"""ConvNeXt Tiny, by default for 224 x 224. Keras: `applications.ConvNeXtTiny`."""
ConvNeXtSmall = _constructor("Small")
"""ConvNeXt Small, by default for 224 x 224. Keras: `applications.ConvNeXtSmall`."""
ConvNeXtBase = _constructor("Base")
"""ConvNeXt Base, by default for 224 x 224. Keras: `applications.ConvNeXtBase`."""
ConvNeXtLarge = _constructor("Large")
"""ConvNeXt Large, by default for 224 x 224. Keras: `applications.ConvNeXtLarge`."""

__all__ = [
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "decode_predictions",
    "preprocess_input",
]  # fmt: skip

explain_missing_names(__name__, __all__)
