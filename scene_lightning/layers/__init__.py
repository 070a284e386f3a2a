"""The layers. Keras: `keras.layers`, with the aliases and old names that programs use."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scene_lightning._unsupported import lookup
from scene_lightning.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from scene_lightning.layers.attention import AdditiveAttention, Attention
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.operators import operator_layers as operator_layers
from scene_lightning.layers.base.serialized import TABLE as _TABLE
from scene_lightning.layers.base.serialized import deserialize_layer as deserialize
from scene_lightning.layers.base.serialized import serialize_layer as serialize
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.convolution import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from scene_lightning.layers.core import Activation, Dense, Embedding, Identity, Lambda
from scene_lightning.layers.depthwise_convolution import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    DepthwiseConvolution2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from scene_lightning.layers.einsum import EinsumDense
from scene_lightning.layers.encoding import CategoryEncoding
from scene_lightning.layers.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from scene_lightning.layers.input_layer import Input, InputLayer
from scene_lightning.layers.keras_1 import AtrousConvolution1D, AtrousConvolution2D, Merge, merge
from scene_lightning.layers.merge_functions import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from scene_lightning.layers.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from scene_lightning.layers.multi_head_attention import MultiHeadAttention
from scene_lightning.layers.normalization import BatchNormalization
from scene_lightning.layers.normalization_variants import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from scene_lightning.layers.padding_and_cropping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from scene_lightning.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from scene_lightning.layers.preprocessing import CenterCrop, Normalization, Rescaling, Resizing
from scene_lightning.layers.preprocessing_affine import RandomRotation, RandomShear, RandomTranslation, RandomZoom
from scene_lightning.layers.preprocessing_colour import (
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from scene_lightning.layers.preprocessing_geometry import RandomCrop, RandomFlip, RandomHeight, RandomWidth
from scene_lightning.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    Masking,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from scene_lightning.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from scene_lightning.layers.transposed_convolution import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Convolution1DTranspose,
    Convolution2DTranspose,
    Convolution3DTranspose,
    Deconvolution2D,
)
from scene_lightning.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D

if TYPE_CHECKING:  # at run time `__getattr__` imports them when they are asked for
    from scene_lightning.utils.lookup import IntegerLookup, StringLookup

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "Attention",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Deconvolution2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DepthwiseConvolution2D",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "Merge",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StringLookup",
    "Subtract",
    "ThresholdedReLU",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "merge",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

# What a config may name: the layers under their names and aliases.
_TABLE.update({name: globals()[name] for name in __all__ if isinstance(globals().get(name), type)})
_TABLE.pop("InputSpec")

# Layers that know datasets and strings, which stand right of this package: imported when they are asked for.
_ELSEWHERE = dict.fromkeys(("IntegerLookup", "StringLookup"), "scene_lightning.utils.lookup")
_find = lookup(__name__, __all__, _ELSEWHERE)


def __getattr__(name: str) -> Any:
    if name == "experimental":  # Keras 2.3 to 2.5: layers.experimental.preprocessing.Rescaling
        return SimpleNamespace(preprocessing=sys.modules[__name__], SyncBatchNormalization=BatchNormalization)
    return _find(name)
