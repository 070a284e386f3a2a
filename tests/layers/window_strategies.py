"""Hypothesis strategies for layers with windows over an image: convolution, pooling, borders, new sizes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.drawing import (
    ACTIVATIONS,
    LAYOUTS,
    REGULARIZERS,
    Case,
    Draw,
    extras,
    image,
    optional,
    per_side,
    sides_for,
)


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


@st.composite
def spectral(draw: Draw) -> Case:
    config, reach = window(draw, 2)
    config |= {"filters": draw(st.integers(1, 3)), "data_format": "channels_last"}
    shape = image(draw, reach, draw(st.integers(1, 3)), None)
    inner = {"class_name": "Conv2D", "module": "keras.layers", "config": config, "registered_name": None}
    return {"layer": inner} | optional(draw, power_iterations=st.integers(1, 3)), shape


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


def resized(**arguments: Any) -> Any:
    """A layer with height and width, on one image or a batch."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9))}
        config |= optional(draw, data_format=LAYOUTS, **arguments)
        if config.get("crop_to_aspect_ratio"):
            config.pop("pad_to_aspect_ratio", None)
        if config["width"] == 1:
            config.pop("antialias", None)  # Keras on torch gets the rows wrong: see test_core.py
        sides = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
        shape = image(draw, sides, draw(st.integers(1, 3)), config.get("data_format"))
        return config, (shape if draw(st.booleans()) else shape[1:])

    return drawn()
