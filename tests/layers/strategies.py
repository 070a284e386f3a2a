"""Hypothesis strategies: for each layer, any configuration (keyword arguments) and the shapes of inputs to run it on.

What is drawn is odd on purpose: sides of one pixel, images that are not square, strides wider than the kernel,
dilation, groups, both paddings and layouts, axes counted from either end.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from tests.layers.attention_strategies import ATTENTION, einsum_dense
from tests.layers.drawing import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYOUTS,
    REGULARIZERS,
    SHARES,
    Case,
    Draw,
    any_shape,
    extras,
    image,
    optional,
    some_axes,
    some_axis,
)
from tests.layers.window_strategies import (
    border,
    convolution,
    depthwise,
    pooling,
    resized,
    spectral,
    transposed,
    upsampling,
)


def on_images(rank: int, **arguments: Any) -> Any:
    """A layer on (N, ..., C) with these optional arguments."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = optional(draw, **arguments)
        sides = tuple(draw(st.integers(1, 5)) for _ in range(rank))
        return config, image(draw, sides, draw(st.integers(1, 4)), config.get("data_format"))

    return drawn()


def elementwise(least: int = 1, required: tuple[str, ...] = (), **arguments: Any) -> Any:
    """A layer on any shape; the arguments named in `required` are always given."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = {name: draw(arguments[name]) for name in required}
        config |= optional(draw, **{name: value for name, value in arguments.items() if name not in required})
        return config, any_shape(draw, least=max(2, least))

    return drawn()


@st.composite
def dense(draw: Draw) -> Case:
    config = {"units": draw(st.integers(1, 5))} | extras(draw, "kernel", "bias")
    config |= optional(draw, activation=ACTIVATIONS, use_bias=st.booleans(), activity_regularizer=REGULARIZERS)
    return config, any_shape(draw)


@st.composite
def embedding(draw: Draw) -> Case:
    # the driver draws whole numbers below 4
    config = {"input_dim": draw(st.integers(4, 6)), "output_dim": draw(st.integers(1, 4))}
    return config | extras(draw, "embeddings"), any_shape(draw, least=1, most=3)


@st.composite
def batch_normalization(draw: Draw) -> Case:
    shape = any_shape(draw)
    config = optional(
        draw,
        momentum=st.floats(0.0, 1.0, width=32),
        epsilon=st.sampled_from([1e-3, 1e-5, 0.5]),
        center=st.booleans(),
        scale=st.booleans(),
    )
    if draw(st.booleans()):
        config["axis"] = some_axis(draw, len(shape))
    return config | extras(draw, "gamma", "beta"), shape


def normalized(**arguments: Any) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        shape = any_shape(draw)
        config = optional(draw, **arguments)
        if draw(st.booleans()):
            config["axis"] = some_axes(draw, len(shape))
        return config, shape

    return drawn()


@st.composite
def group_normalization(draw: Draw) -> Case:
    shape = list(any_shape(draw, least=3))
    axis = some_axis(draw, len(shape))
    groups = draw(st.integers(1, 3))
    shape[axis] = groups * draw(st.integers(1, 3))
    config = {"groups": draw(st.sampled_from([groups, -1])), "axis": axis}
    config |= optional(draw, epsilon=st.sampled_from([1e-3, 0.1]), center=st.booleans(), scale=st.booleans())
    return config, tuple(shape)


@st.composite
def normalization(draw: Draw) -> Case:
    shape = any_shape(draw)
    axis = draw(st.sampled_from([None, "some"])) and some_axes(draw, len(shape))
    config: dict[str, Any] = {"axis": axis} | optional(draw, invert=st.booleans())
    if draw(st.booleans()):
        config |= {"mean": draw(st.floats(-2, 2, width=32)), "variance": draw(st.floats(0.25, 4, width=32))}
    return config, shape


@st.composite
def merging(draw: Draw, count: Any = None) -> Case:
    shape = any_shape(draw)
    shapes = []
    for _ in range(count or draw(st.integers(2, 4))):
        kind = draw(st.sampled_from(["same", "same", "ones", "short"]))
        if kind == "ones":
            shapes.append((shape[0], *(1 if draw(st.booleans()) else n for n in shape[1:])))
        elif kind == "short" and len(shape) > 2:
            shapes.append((shape[0], *shape[2:]))
        else:
            shapes.append(shape)
    return {}, shapes


@st.composite
def concatenation(draw: Draw) -> Case:
    shape = list(any_shape(draw))
    axis = some_axis(draw, len(shape))
    shapes = []
    for _ in range(draw(st.integers(2, 4))):
        shape[axis] = draw(st.integers(1, 4))
        shapes.append(tuple(shape))
    return ({} if axis in (-1, len(shape) - 1) and draw(st.booleans()) else {"axis": axis}), shapes


@st.composite
def dot(draw: Draw) -> Case:
    first, second = list(any_shape(draw, 2, 4)), list(any_shape(draw, 2, 4))
    i, j = some_axis(draw, len(first)), some_axis(draw, len(second))
    second[0], second[j] = first[0], first[i]
    axes = i if i == j and draw(st.booleans()) else draw(st.sampled_from([tuple, list]))((i, j))
    return {"axes": axes} | optional(draw, normalize=st.booleans()), [tuple(first), tuple(second)]


@st.composite
def reshape(draw: Draw) -> Case:
    shape = any_shape(draw)
    left, target = math.prod(shape[1:]), []
    while draw(st.booleans()) and len(target) < 3:
        target.append(draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= target[-1]
    target.append(left)
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return {"target_shape": draw(st.sampled_from([tuple, list]))(target)}, shape


@st.composite
def permute(draw: Draw) -> Case:
    shape = any_shape(draw)
    return {"dims": tuple(draw(st.permutations(range(1, len(shape)))))}, shape


@st.composite
def flatten(draw: Draw) -> Case:
    return optional(draw, data_format=LAYOUTS), any_shape(draw, least=1)


@st.composite
def prelu(draw: Draw) -> Case:
    shape = any_shape(draw)
    config = optional(draw, alpha_initializer=INITIALIZERS, alpha_regularizer=REGULARIZERS)
    if draw(st.booleans()):
        config["shared_axes"] = sorted(draw(st.sets(st.integers(1, len(shape) - 1), min_size=1)))
    return config, shape


@st.composite
def softmax(draw: Draw) -> Case:
    shape = any_shape(draw)
    return ({"axis": some_axes(draw, len(shape))} if draw(st.booleans()) else {}), shape


@st.composite
def rescaling(draw: Draw) -> Case:
    shape = any_shape(draw)
    number = st.floats(-2, 2, width=32)
    each = st.lists(number, min_size=shape[-1], max_size=shape[-1])
    return {"scale": draw(number | each)} | optional(draw, offset=number | each), shape


AFFINE = {"center": st.booleans(), "scale": st.booleans(), "epsilon": st.sampled_from([1e-3, 0.1])}
KEEPDIMS = {"keepdims": st.booleans(), "data_format": LAYOUTS}
NUMBERS = st.floats(0, 2, width=32)
_RATE = {"rate": st.floats(0, 0.875, width=32), "seed": st.integers(0, 9)}

STRATEGIES: dict[str, Any] = {
    "Activation": elementwise(required=("activation",), activation=ACTIVATIONS.filter(bool)),
    "ActivityRegularization": elementwise(l1=NUMBERS, l2=NUMBERS),
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply"), merging()),
    **ATTENTION,
    "AlphaDropout": elementwise(required=("rate",), **_RATE),
    **{f"AveragePooling{rank}D": pooling(rank) for rank in (1, 2, 3)},
    "BatchNormalization": batch_normalization(),
    "CenterCrop": resized(),
    "Concatenate": concatenation(),
    **{f"Conv{rank}D": convolution(rank) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": transposed(rank) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": border(rank, "cropping", rank > 1) for rank in (1, 2, 3)},
    "Dense": dense(),
    **{f"DepthwiseConv{rank}D": depthwise(rank, False) for rank in (1, 2)},
    "Dot": dot(),
    "Dropout": elementwise(required=("rate",), **_RATE),
    "ELU": elementwise(alpha=NUMBERS),
    "EinsumDense": einsum_dense(),
    "Embedding": embedding(),
    "Flatten": flatten(),
    "GaussianDropout": elementwise(required=("rate",), **_RATE),
    "GaussianNoise": elementwise(required=("stddev",), stddev=SHARES, seed=st.integers(0, 9)),
    **{f"GlobalAveragePooling{rank}D": on_images(rank, **KEEPDIMS) for rank in (1, 2, 3)},
    **{f"GlobalMaxPooling{rank}D": on_images(rank, **KEEPDIMS) for rank in (1, 2, 3)},
    "GroupNormalization": group_normalization(),
    "Identity": elementwise(),
    "LayerNormalization": normalized(**AFFINE),
    "LeakyReLU": elementwise(negative_slope=NUMBERS),
    **{f"MaxPooling{rank}D": pooling(rank) for rank in (1, 2, 3)},
    "Normalization": normalization(),
    "PReLU": prelu(),
    "Permute": permute(),
    "RMSNormalization": normalized(epsilon=st.sampled_from([1e-6, 0.1])),
    "ReLU": elementwise(max_value=st.none() | NUMBERS, negative_slope=NUMBERS, threshold=NUMBERS),
    "RepeatVector": st.tuples(
        st.integers(1, 4).map(lambda n: {"n": n}), st.tuples(st.integers(1, 3), st.integers(1, 5))
    ),
    "Rescaling": rescaling(),
    "Reshape": reshape(),
    "Resizing": resized(
        interpolation=st.sampled_from(["nearest", "bilinear", "bicubic"]),
        crop_to_aspect_ratio=st.booleans(),
        pad_to_aspect_ratio=st.booleans(),
        fill_value=st.floats(-2, 2, width=32),
        antialias=st.booleans(),
    ),
    **{f"SeparableConv{rank}D": depthwise(rank, True) for rank in (1, 2)},
    "Softmax": softmax(),
    "SpatialDropout1D": on_images(1, seed=st.integers(0, 9)).map(lambda case: ({"rate": 0.5} | case[0], case[1])),
    **{
        f"SpatialDropout{rank}D": on_images(rank, data_format=LAYOUTS, seed=st.integers(0, 9)).map(
            lambda case: ({"rate": 0.5} | case[0], case[1])
        )
        for rank in (2, 3)
    },
    "SpectralNormalization": spectral(),
    "Subtract": merging(2),
    "UnitNormalization": normalized(),
    "UpSampling1D": upsampling(1),
    "UpSampling2D": upsampling(
        2, data_format=LAYOUTS, interpolation=st.sampled_from(["nearest", "bilinear", "bicubic"])
    ),
    "UpSampling3D": upsampling(3, data_format=LAYOUTS),
    **{f"ZeroPadding{rank}D": border(rank, "padding", True) for rank in (1, 2, 3)},
}
