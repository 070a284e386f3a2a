"""Hypothesis strategies for the Random* layers: any configuration, and the shape of the images it runs on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.drawing import LAYOUTS, Case, Draw, image, optional

SEEDS = st.integers(0, 99)
CHANNELS = st.integers(1, 4)
RANGES = st.sampled_from([(0, 255), (0.0, 1.0), [0, 255]])


def number(low: float, high: float) -> Any:
    return st.floats(low, high, width=32)


def pair(low: float, high: float) -> Any:
    """Two bounds, in either order, now and then equal: then nothing is left to chance."""
    both = st.tuples(number(low, high), number(low, high)) | number(low, high).map(lambda one: (one, one))
    return both | both.map(list)


def factor(low: float = -1.0, high: float = 1.0) -> Any:
    return number(max(low, 0.0), high) | pair(low, high)


def augmented(required: dict[str, Any], channels: Any = CHANNELS, **arguments: Any) -> Any:
    """A layer with these arguments on images of 2 to 8 pixels a side."""

    @st.composite
    def drawn(draw: Draw) -> Case:
        config = {name: draw(strategy) for name, strategy in required.items()} | {"seed": draw(SEEDS)}
        config |= optional(draw, **arguments)
        sides = draw(st.integers(2, 8)), draw(st.integers(2, 8))
        return config, image(draw, sides, draw(channels), config.get("data_format"))

    return drawn()


GEOMETRY = {
    "fill_mode": st.sampled_from(["reflect", "nearest", "wrap", "constant"]),
    "fill_value": number(0, 255),
    "interpolation": st.just("bilinear"),  # of the nearest pixel, float32's last digit decides: test_augmentation
    "data_format": LAYOUTS,
}
COLOUR = {"value_range": RANGES, "data_format": LAYOUTS}
THREE = st.just(3)
ZOOM = factor(-0.875, 0.875)
SIDES = {"height": st.integers(1, 9), "width": st.integers(1, 9)}
SHARE = factor(0.0, 1.0)
SATURATION = pair(0, 0.875)  # of a single number Keras documents another range than its code draws from
_JITTER = {  # channels last: Keras' own does not tell its steps of another layout
    "brightness_factor": factor(),
    "contrast_factor": pair(0, 1),  # as for the saturation
    "saturation_factor": SATURATION,
    "hue_factor": SHARE,
}

RANDOM_LAYERS: dict[str, Any] = {
    "RandomBrightness": augmented({"factor": factor()}, **COLOUR),
    "RandomColorJitter": augmented({}, THREE, **_JITTER, value_range=RANGES),
    "RandomContrast": augmented({"factor": pair(0, 1)}, **COLOUR),
    "RandomCrop": augmented(SIDES, data_format=LAYOUTS),
    "RandomFlip": augmented(
        {}, mode=st.sampled_from(["horizontal", "vertical", "horizontal_and_vertical"]), data_format=LAYOUTS
    ),
    "RandomGrayscale": augmented({}, THREE, factor=number(0, 1), data_format=LAYOUTS),
    "RandomHue": augmented({"factor": SHARE}, THREE, **COLOUR),
    "RandomRotation": augmented({"factor": factor()}, **GEOMETRY),
    "RandomSaturation": augmented({"factor": SATURATION}, THREE, **COLOUR),
    "RandomShear": augmented({}, x_factor=SHARE, y_factor=SHARE, **GEOMETRY),
    "RandomTranslation": augmented({"height_factor": factor(), "width_factor": factor()}, **GEOMETRY),
    "RandomZoom": augmented({"height_factor": ZOOM}, width_factor=st.none() | ZOOM, **GEOMETRY),
}
# Keras 2's, which Keras 3 has for TensorFlow alone.
RANDOM_SIDES: dict[str, Any] = dict.fromkeys(
    ("RandomHeight", "RandomWidth"),
    augmented({"factor": factor(-0.5, 0.875)}, interpolation=st.sampled_from(["nearest", "bilinear"])),
)
