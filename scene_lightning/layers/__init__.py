"""The layers. Keras: `keras.layers`, with the aliases and old names that programs use."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scene_lightning._unsupported import lookup
from scene_lightning.layers import (
    activation,
    attention,
    convolution,
    core,
    depthwise_convolution,
    einsum,
    encoding,
    global_pooling,
    input_layer,
    keras_1,
    merge_functions,
    merging,
    multi_head_attention,
    normalization,
    normalization_variants,
    padding_and_cropping,
    pooling,
    preprocessing,
    regularization,
    reshaping,
    transposed_convolution,
    upsampling,
)
from scene_lightning.layers.activation import *
from scene_lightning.layers.attention import *
from scene_lightning.layers.augmentation import affine, colour, geometry
from scene_lightning.layers.augmentation.affine import *
from scene_lightning.layers.augmentation.colour import *
from scene_lightning.layers.augmentation.geometry import *
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.operators import operator_layers as operator_layers
from scene_lightning.layers.base.serialized import TABLE as _TABLE
from scene_lightning.layers.base.serialized import deserialize_layer as deserialize
from scene_lightning.layers.base.serialized import serialize_layer as serialize
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.convolution import *
from scene_lightning.layers.core import *
from scene_lightning.layers.depthwise_convolution import *
from scene_lightning.layers.einsum import *
from scene_lightning.layers.encoding import *
from scene_lightning.layers.global_pooling import *
from scene_lightning.layers.input_layer import *
from scene_lightning.layers.keras_1 import *
from scene_lightning.layers.merge_functions import *
from scene_lightning.layers.merging import *
from scene_lightning.layers.multi_head_attention import *
from scene_lightning.layers.normalization import *
from scene_lightning.layers.normalization_variants import *
from scene_lightning.layers.padding_and_cropping import *
from scene_lightning.layers.pooling import *
from scene_lightning.layers.preprocessing import *
from scene_lightning.layers.regularization import *
from scene_lightning.layers.reshaping import *
from scene_lightning.layers.transposed_convolution import *
from scene_lightning.layers.upsampling import *

if TYPE_CHECKING:  # at run time `__getattr__` imports them when they are asked for
    from scene_lightning.utils.lookup import IntegerLookup, StringLookup

__all__ = ["InputSpec", "IntegerLookup", "Layer", "StringLookup", "deserialize", "serialize"]
__all__ += activation.__all__ + attention.__all__ + convolution.__all__ + core.__all__ + depthwise_convolution.__all__
__all__ += einsum.__all__ + encoding.__all__ + global_pooling.__all__ + input_layer.__all__ + keras_1.__all__
__all__ += merge_functions.__all__ + merging.__all__ + multi_head_attention.__all__ + normalization.__all__
__all__ += normalization_variants.__all__ + padding_and_cropping.__all__ + pooling.__all__ + preprocessing.__all__
__all__ += affine.__all__ + colour.__all__ + geometry.__all__
__all__ += regularization.__all__ + reshaping.__all__ + transposed_convolution.__all__ + upsampling.__all__

# What a config may name: the layers under their names and aliases.
_TABLE.update({name: globals()[name] for name in __all__ if isinstance(globals().get(name), type)})
_TABLE.pop("InputSpec")

# Layers that know datasets and strings, which stand right of this package: imported when they are asked for.
_ELSEWHERE = dict.fromkeys(("IntegerLookup", "StringLookup"), "scene_lightning.utils.lookup")
_find = lookup(__name__, __all__, _ELSEWHERE)


if not TYPE_CHECKING:  # type checkers report a name that is not there

    def __getattr__(name: str) -> Any:
        if name == "experimental":  # Keras 2.3 to 2.5: layers.experimental.preprocessing.Rescaling
            return SimpleNamespace(preprocessing=sys.modules[__name__], SyncBatchNormalization=BatchNormalization)
        return _find(name)
