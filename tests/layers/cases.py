"""The contract table: for each layer, configurations (keyword arguments) and the shapes of the inputs they run on."""

from __future__ import annotations

from typing import Any

IMAGES = (2, 7, 6, 4)
STEPS = (2, 9, 4)
VOLUME = (2, 5, 4, 6, 2)
VECTORS = (3, 5)

Case = tuple[dict[str, Any], Any]


def _conv(rank: int) -> list[Case]:
    shape: tuple[int, ...] = {1: STEPS, 2: IMAGES, 3: VOLUME}[rank]
    first = (shape[0], shape[-1], *shape[1:-1])
    return [
        ({"filters": 4, "kernel_size": 3, "activation": "relu"}, shape),
        ({"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same", "use_bias": False}, shape),
        ({"filters": 2, "kernel_size": 3, "strides": 2, "padding": "SAME", "activation": "softmax"}, shape),
        ({"filters": 2, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, shape),
        (
            {
                "filters": 4,
                "kernel_size": 1,
                "groups": 2,
                "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}},
            },
            shape,
        ),
        ({"filters": 2, "kernel_size": 2, "data_format": "channels_first", "padding": "same"}, first),
    ]


def _pool(rank: int, average: bool) -> list[Case]:
    shape: tuple[int, ...] = {1: STEPS, 2: IMAGES, 3: VOLUME}[rank]
    first = (shape[0], shape[-1], *shape[1:-1])
    cases: list[Case] = [
        ({"pool_size": 2}, shape),
        ({"pool_size": 3, "strides": 1, "padding": "same"}, shape),
        ({"pool_size": 2, "strides": 1, "data_format": "channels_first"}, first),
    ]
    if not average:  # Keras on torch is wrong there for averages: golden values in test_pooling.py
        cases += [
            ({"pool_size": 2, "padding": "same"}, shape),
            ({"pool_size": 4, "strides": 1, "padding": "same"}, shape),
        ]
    return cases


def _global(rank: int) -> list[Case]:
    shape: tuple[int, ...] = {1: STEPS, 2: IMAGES, 3: VOLUME}[rank]
    return [({}, shape), ({"keepdims": True}, shape), ({"data_format": "channels_first"}, shape)]


def _transpose(rank: int) -> list[Case]:
    shape: tuple[int, ...] = {1: STEPS, 2: IMAGES, 3: VOLUME}[rank]
    common = {"filters": 3}
    return [
        ({**common, "kernel_size": 3}, shape),
        ({**common, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}, shape),
        ({**common, "kernel_size": 2, "strides": 3, "padding": "valid"}, shape),
        ({**common, "kernel_size": 1, "strides": 2, "padding": "same"}, shape),
        ({**common, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}, shape),
        ({**common, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1}, shape),
        ({**common, "kernel_size": 3, "padding": "valid", "dilation_rate": 2}, shape),
    ]


_PAIR = [IMAGES, IMAGES]
_MERGE: list[Case] = [({}, [IMAGES, IMAGES, IMAGES]), ({}, [IMAGES, (2, 1, 1, 4)]), ({}, [(2, 5, 4), (2, 4)])]

CASES: dict[str, list[Case]] = {
    "Activation": [({"activation": name}, VECTORS) for name in ("relu", "softmax", "tanh", "gelu", "leaky_relu")],
    "ActivityRegularization": [({"l1": 0.1, "l2": 0.2}, VECTORS)],
    "Add": _MERGE,
    "AlphaDropout": [({"rate": 0.3}, VECTORS), ({"rate": 0.3, "noise_shape": (3, 1), "seed": 1}, VECTORS)],
    "Average": _MERGE,
    "AveragePooling1D": _pool(1, True),
    "AveragePooling2D": _pool(2, True),
    "AveragePooling3D": _pool(3, True),
    "BatchNormalization": [
        ({}, IMAGES),
        ({"momentum": 0.8, "epsilon": 1e-5, "scale": False}, VECTORS),
        ({"axis": 1, "center": False}, IMAGES),
        ({"axis": -1}, STEPS),
        ({"gamma_initializer": "zeros"}, VOLUME),
    ],
    "CenterCrop": [
        ({"height": 4, "width": 3}, IMAGES),
        ({"height": 9, "width": 9}, IMAGES),
        ({"height": 3, "width": 3, "data_format": "channels_first"}, IMAGES),
        ({"height": 4, "width": 3}, (7, 6, 3)),
    ],
    "Concatenate": [({}, _PAIR), ({"axis": 1}, [IMAGES, (2, 3, 6, 4)])],
    "Conv1D": [*_conv(1), ({"filters": 2, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, STEPS)],
    "Conv1DTranspose": _transpose(1),
    "Conv2D": [*_conv(2), ({"filters": 3, "kernel_size": (2, 3), "strides": (3, 1), "padding": "same"}, (2, 8, 5, 1))],
    "Conv2DTranspose": [
        *_transpose(2),
        ({"filters": 2, "kernel_size": (2, 3), "data_format": "channels_first"}, IMAGES),
    ],
    "Conv3D": _conv(3),
    "Conv3DTranspose": _transpose(3)[:3],
    "Cropping1D": [({"cropping": (1, 2)}, STEPS), ({"cropping": 1}, STEPS)],
    "Cropping2D": [
        ({"cropping": ((1, 0), (0, 2))}, IMAGES),
        ({"cropping": 1, "data_format": "channels_first"}, (2, 3, 5, 5)),
        ({}, IMAGES),
    ],
    "Cropping3D": [({"cropping": ((1, 1), (0, 1), (2, 0))}, VOLUME)],
    "Dense": [
        ({"units": 4, "activation": "relu"}, VECTORS),
        ({"units": 3, "use_bias": False}, IMAGES),
        ({"units": 3, "activation": "softmax", "bias_initializer": "ones"}, VECTORS),
    ],
    "DepthwiseConv1D": [({"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, STEPS)],
    "DepthwiseConv2D": [
        ({"kernel_size": 3}, IMAGES),
        ({"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 3}, IMAGES),
        ({"kernel_size": 2, "dilation_rate": 2, "use_bias": False, "activation": "relu6"}, IMAGES),
        ({"kernel_size": 2, "data_format": "channels_first"}, IMAGES),
    ],
    "Dot": [
        ({"axes": 1}, [VECTORS, VECTORS]),
        ({"axes": -1, "normalize": True}, [VECTORS, VECTORS]),
        ({"axes": (2, 1)}, [(2, 5, 4), (2, 4, 3)]),
    ],
    "Dropout": [({"rate": 0.5}, VECTORS), ({"rate": 0.5, "noise_shape": (3, 1), "seed": 3}, VECTORS)],
    "ELU": [({}, VECTORS), ({"alpha": 0.5}, VECTORS)],
    "Embedding": [({"input_dim": 4, "output_dim": 3}, (2, 6))],
    "Flatten": [({}, IMAGES), ({"data_format": "channels_first"}, IMAGES), ({}, VECTORS)],
    "GaussianDropout": [({"rate": 0.3}, VECTORS)],
    "GaussianNoise": [({"stddev": 0.3, "seed": 4}, VECTORS)],
    "GlobalAveragePooling1D": _global(1),
    "GlobalAveragePooling2D": _global(2),
    "GlobalAveragePooling3D": _global(3),
    "GlobalMaxPooling1D": _global(1),
    "GlobalMaxPooling2D": _global(2),
    "GlobalMaxPooling3D": _global(3),
    "GroupNormalization": [({"groups": 2}, IMAGES), ({"groups": -1}, IMAGES), ({"groups": 1, "axis": 1}, IMAGES)],
    "Identity": [({}, VECTORS)],
    "LayerNormalization": [({}, IMAGES), ({"axis": [2, 3], "scale": False}, IMAGES)],
    "LeakyReLU": [({}, VECTORS), ({"negative_slope": 0.1}, VECTORS)],
    "MaxPooling1D": _pool(1, False),
    "MaxPooling2D": _pool(2, False),
    "MaxPooling3D": _pool(3, False),
    "Maximum": _MERGE,
    "Minimum": _MERGE,
    "Multiply": _MERGE,
    "Normalization": [
        ({}, IMAGES),
        ({"mean": [1.0, 2.0, 3.0, 4.0], "variance": [1.0, 4.0, 9.0, 2.0]}, IMAGES),
        ({"axis": None, "mean": 1.0, "variance": 4.0, "invert": True}, IMAGES),
    ],
    "PReLU": [({"alpha_initializer": "ones"}, VECTORS), ({"shared_axes": [1, 2]}, IMAGES)],
    "Permute": [({"dims": (3, 1, 2)}, IMAGES)],
    "RMSNormalization": [({}, IMAGES), ({"axis": [2, 3]}, IMAGES)],
    "ReLU": [({}, VECTORS), ({"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}, VECTORS)],
    "RepeatVector": [({"n": 3}, VECTORS)],
    "Rescaling": [({"scale": 1 / 127.5, "offset": -1}, IMAGES), ({"scale": [1.0, 2.0, 3.0, 4.0]}, IMAGES)],
    "Reshape": [({"target_shape": (3, -1)}, IMAGES), ({"target_shape": (42, 4)}, IMAGES)],
    "Resizing": [
        ({"height": 5, "width": 9}, IMAGES),
        ({"height": 5, "width": 9, "interpolation": "bicubic"}, IMAGES),
        ({"height": 14, "width": 3, "crop_to_aspect_ratio": True}, IMAGES),
        ({"height": 4, "width": 10, "pad_to_aspect_ratio": True, "fill_value": 2.0}, IMAGES),
        ({"height": 5, "width": 4, "antialias": True}, (7, 9, 3)),
        ({"height": 3, "width": 5, "data_format": "channels_first"}, IMAGES),
    ],
    "SeparableConv1D": [({"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, STEPS)],
    "SeparableConv2D": [
        ({"filters": 3, "kernel_size": 3, "activation": "relu"}, IMAGES),
        ({"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}, IMAGES),
        ({"filters": 3, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, IMAGES),
    ],
    "Softmax": [({}, VECTORS), ({"axis": 1}, IMAGES), ({"axis": [1, 2]}, IMAGES)],
    "SpatialDropout1D": [({"rate": 0.5}, STEPS)],
    "SpatialDropout2D": [({"rate": 0.5, "data_format": "channels_first"}, IMAGES)],
    "SpatialDropout3D": [({"rate": 0.5}, VOLUME)],
    "Subtract": [({}, _PAIR)],
    "UnitNormalization": [({}, VECTORS), ({"axis": [1, 2]}, IMAGES)],
    "UpSampling1D": [({"size": 3}, STEPS)],
    "UpSampling2D": [
        ({}, IMAGES),
        ({"size": (1, 3), "interpolation": "bilinear"}, IMAGES),
        ({"size": 2, "data_format": "channels_first", "interpolation": "bicubic"}, IMAGES),
    ],
    "UpSampling3D": [({"size": (1, 2, 2)}, VOLUME)],
    "ZeroPadding1D": [({"padding": (2, 1)}, STEPS), ({}, STEPS)],
    "ZeroPadding2D": [
        ({"padding": ((1, 0), (0, 2))}, IMAGES),
        ({"padding": 1}, IMAGES),
        ({"padding": (2, 1), "data_format": "channels_first"}, IMAGES),
    ],
    "ZeroPadding3D": [({}, VOLUME)],
}

# What no strategy draws: why not, and the test that holds it instead.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "CategoryEncoding": ("whole numbers in", "test_encoding"),
    "IntegerLookup": ("whole numbers in, and no part of a network", "../utils/test_lookup"),
    "StringLookup": ("strings in, and no part of a network", "../utils/test_lookup"),
    **dict.fromkeys(("Input", "InputLayer", "InputSpec"), ("describes an input, computes nothing", "test_core")),
    "Lambda": ("computes what it is given", "test_core"),
    "Layer": ("the base of all that are drawn", "test_core"),
    "Masking": ("a stand-in that says why it is not here", "test_core"),
    "ThresholdedReLU": ("gone from Keras 3, which has it for TensorFlow alone", "test_core"),
    **dict.fromkeys(("Merge", "merge"), ("Keras 1's spelling of layers that are drawn", "test_keras_1")),
    **dict.fromkeys(
        ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"),
        ("the function of a layer that is drawn", "test_merging"),
    ),
    **dict.fromkeys(("deserialize", "serialize"), ("functions on configs", "test_core")),
}
