"""Hypothesis strategies: for each layer, any configuration (keyword arguments) and the shapes of inputs to run it on.

What is drawn is odd on purpose: sides of one pixel, images that are not square, strides wider than the kernel,
dilation, groups, both paddings and layouts, axes counted from either end.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

Case = tuple[dict[str, Any], Any]
Draw = Any

LAYOUTS = st.sampled_from([None, "channels_last", "channels_first"])
ACTIVATIONS = st.sampled_from(
    [None, None, "relu", "softmax", "tanh", "gelu", "leaky_relu", "elu", "selu", "silu", "softplus", "hard_sigmoid"]
)
INITIALIZERS = st.sampled_from(
    ["zeros", "ones", "he_normal", {"class_name": "RandomUniform", "config": {"minval": -1.0, "maxval": 1.0}}]
)
REGULARIZERS = st.sampled_from(
    [
        None,
        "l1",
        {"class_name": "L2", "config": {"l2": 0.1}},
        {"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}},
    ]
)
CONSTRAINTS = st.sampled_from(
    [None, "non_neg", {"class_name": "MaxNorm", "config": {"max_value": 1.5, "axis": 0}}, "unit_norm"]
)
SHARES = st.floats(0.0, 1.0, width=32)


def optional(draw: Draw, **strategies: Any) -> dict[str, Any]:
    """Some of these arguments; the others keep their defaults."""
    return {name: draw(strategy) for name, strategy in strategies.items() if draw(st.booleans())}


def per_side(draw: Draw, rank: int, low: int, high: int) -> tuple[Any, tuple[int, ...]]:
    """(the argument: one number or one a side, the numbers)."""
    sides = tuple(draw(st.integers(low, high)) for _ in range(rank))
    if rank == 1 or draw(st.booleans()):
        return sides[0], (sides[0],) * rank
    return draw(st.sampled_from([tuple, list]))(sides), sides


def image(draw: Draw, sides: tuple[int, ...], channels: int, data_format: str | None) -> tuple[int, ...]:
    batch = draw(st.integers(1, 3))
    return (batch, channels, *sides) if data_format == "channels_first" else (batch, *sides, channels)


def sides_for(draw: Draw, rank: int, windows: tuple[int, ...], padding: str) -> tuple[int, ...]:
    """Sides that the windows fit into, or (now and then) do not."""
    longest = 5 if rank == 3 else 9
    least = windows if padding.lower() == "valid" and draw(st.integers(0, 9)) else (1,) * rank
    return tuple(draw(st.integers(low, max(low, longest))) for low in least)


def extras(draw: Draw, *parts: str) -> dict[str, Any]:
    """Initialisers, regularisers and constraints of these weights."""
    drawn: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        for part in parts:
            drawn |= optional(
                draw,
                **{
                    f"{part}_initializer": INITIALIZERS,
                    f"{part}_regularizer": REGULARIZERS,
                    f"{part}_constraint": CONSTRAINTS,
                },
            )
    return drawn


def window(draw: Draw, rank: int, causal: bool = False) -> tuple[dict[str, Any], tuple[int, ...]]:
    """(kernel_size, strides or dilation_rate, padding, data_format; how far one window reaches)."""
    kernel, sizes = per_side(draw, rank, 1, 3 if rank == 3 else 4)
    paddings = ["valid", "same", "SAME"] + ["causal"] * causal
    config = {"kernel_size": kernel, "padding": draw(st.sampled_from(paddings))}
    if config["padding"] == "causal":
        config["data_format"] = "channels_last"
    else:
        config |= optional(draw, data_format=LAYOUTS)
    reach = sizes
    how = draw(st.sampled_from(["strides", "strides", "dilation_rate", "neither"]))
    if how == "strides":
        config["strides"] = per_side(draw, rank, 1, 5)[0]
    elif how == "dilation_rate":
        config["dilation_rate"], rates = per_side(draw, rank, 1, 3)
        reach = tuple((size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True))
    return config, reach


def convolution(rank: int) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        config, reach = window(draw, rank, causal=rank == 1)
        groups = draw(st.sampled_from([1, 1, 2, 3]))
        config |= {"filters": groups * draw(st.integers(1, 3))} | extras(draw, "kernel", "bias")
        config |= optional(draw, activation=ACTIVATIONS, use_bias=st.booleans(), activity_regularizer=REGULARIZERS)
        if groups > 1:
            config["groups"] = groups
        sides = sides_for(draw, rank, reach, config["padding"])
        return config, image(draw, sides, groups * draw(st.integers(1, 3)), config.get("data_format"))

    return drawn()


def transposed(rank: int) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        config, _ = window(draw, rank)
        config["filters"] = draw(st.integers(1, 3))
        config |= extras(draw, "kernel", "bias") | optional(draw, activation=ACTIVATIONS, use_bias=st.booleans())
        strides = config.get("strides", 1)
        least = strides if isinstance(strides, int) else min(strides)
        if least > 1 and draw(st.booleans()):
            config["output_padding"] = draw(st.integers(0, least - 1))
        shortest = 1 + ("output_padding" in config)  # of one pixel it may leave none
        sides = tuple(draw(st.integers(shortest, 4)) for _ in range(rank))
        return config, image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))

    return drawn()


def depthwise(rank: int, separable: bool) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        config, reach = window(draw, rank)
        if isinstance(config.get("strides"), tuple | list):
            config["strides"] = config["strides"][0]  # TensorFlow's kernel takes equal ones alone
        config |= optional(draw, depth_multiplier=st.integers(1, 3), activation=ACTIVATIONS, use_bias=st.booleans())
        if separable:
            config["filters"] = draw(st.integers(1, 3))
        config |= extras(draw, "depthwise", "bias", *["pointwise"] * separable)
        sides = sides_for(draw, rank, reach, config["padding"])
        return config, image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))

    return drawn()


def pooling(rank: int) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        size, sizes = per_side(draw, rank, 1, 4)
        config = {"pool_size": size, "padding": draw(st.sampled_from(["valid", "same"]))}
        config |= optional(draw, strides=st.just(per_side(draw, rank, 1, 5)[0]), data_format=LAYOUTS)
        sides = sides_for(draw, rank, sizes, config["padding"])
        return config, image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))

    return drawn()


def on_images(rank: int, **arguments: Any) -> Any:
    """A layer on (N, ..., C) with these optional arguments."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = optional(draw, **arguments)
        sides = tuple(draw(st.integers(1, 5)) for _ in range(rank))
        return config, image(draw, sides, draw(st.integers(1, 4)), config.get("data_format"))

    return drawn()


def any_shape(draw: Draw, least: int = 2, most: int = 5, longest: int = 5) -> tuple[int, ...]:
    return tuple(draw(st.integers(1, longest)) for _ in range(draw(st.integers(least, most))))


def elementwise(least: int = 1, required: tuple[str, ...] = (), **arguments: Any) -> Any:
    """A layer on any shape; the arguments named in `required` are always given."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = {name: draw(arguments[name]) for name in required}
        config |= optional(draw, **{name: value for name, value in arguments.items() if name not in required})
        return config, any_shape(draw, least=max(2, least))

    return drawn()


def some_axis(draw: Draw, rank: int) -> int:
    """An axis after the batch axis, counted from either end."""
    axis = draw(st.integers(1, rank - 1))
    return axis - rank if draw(st.booleans()) else axis


def some_axes(draw: Draw, rank: int) -> Any:
    if draw(st.booleans()):
        return some_axis(draw, rank)
    chosen = sorted(draw(st.sets(st.integers(1, rank - 1), min_size=1)))
    return [axis - rank for axis in chosen] if draw(st.booleans()) else chosen


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
def spectral(draw: Draw) -> Case:
    config, reach = window(draw, 2)
    config |= {"filters": draw(st.integers(1, 3)), "data_format": "channels_last"}
    shape = image(draw, reach, draw(st.integers(1, 3)), None)
    inner = {"class_name": "Conv2D", "module": "keras.layers", "config": config, "registered_name": None}
    return {"layer": inner} | optional(draw, power_iterations=st.integers(1, 3)), shape


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


def border(rank: int, name: str, first: bool) -> Any:
    """Padding, or cropping, which leaves at least one pixel: all three spellings."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        data_format = draw(LAYOUTS) if first else None
        kind = draw(st.sampled_from(["one", "a side", "a pair a side"] if rank > 1 else ["one", "pair"]))
        number = st.integers(0, 2)
        amount: Any = draw(number)
        if kind == "pair":
            amount = (draw(number), draw(number))
        elif kind == "a side":
            amount = tuple(draw(number) for _ in range(rank))
        elif kind == "a pair a side":
            amount = tuple((draw(number), draw(number)) for _ in range(rank))
        least = 1 if name == "padding" or draw(st.integers(0, 9)) == 0 else 5
        sides = tuple(draw(st.integers(least, least + 2)) for _ in range(rank))
        config = {name: amount} | ({"data_format": data_format} if data_format else {})
        return config, image(draw, sides, draw(st.integers(1, 3)), data_format)

    return drawn()


def upsampling(rank: int, **arguments: Any) -> Any:
    @st.composite
    def drawn(draw: Draw) -> Case:
        config = optional(draw, **arguments) | {"size": per_side(draw, rank, 1, 3)[0]}
        sides = tuple(draw(st.integers(1, 4)) for _ in range(rank))
        return config, image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))

    return drawn()


@st.composite
def rescaling(draw: Draw) -> Case:
    shape = any_shape(draw)
    number = st.floats(-2, 2, width=32)
    each = st.lists(number, min_size=shape[-1], max_size=shape[-1])
    return {"scale": draw(number | each)} | optional(draw, offset=number | each), shape


def resized(**arguments: Any) -> Any:
    """A layer with height and width, on one image or a batch."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9))}
        config |= optional(draw, data_format=LAYOUTS, **arguments)
        if config.get("crop_to_aspect_ratio"):
            config.pop("pad_to_aspect_ratio", None)
        sides = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
        shape = image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))
        return config, (shape if draw(st.booleans()) else shape[1:])

    return drawn()


AFFINE = {"center": st.booleans(), "scale": st.booleans(), "epsilon": st.sampled_from([1e-3, 0.1])}
KEEPDIMS = {"keepdims": st.booleans(), "data_format": LAYOUTS}
NUMBERS = st.floats(0, 2, width=32)
_RATE = {"rate": st.floats(0, 0.875, width=32), "seed": st.integers(0, 9)}

STRATEGIES: dict[str, Any] = {
    "Activation": elementwise(required=("activation",), activation=ACTIVATIONS.filter(bool)),
    "ActivityRegularization": elementwise(l1=NUMBERS, l2=NUMBERS),
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply"), merging()),
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
