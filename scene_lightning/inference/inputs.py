"""Says how a model wants its images, from its file or a recipe, and makes the feeds that it predicts from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scene_lightning.data.decode import DecodeSpec, Unreadable
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.recipes.recipe import Recipe

_COLOR_MODES = {1: "grayscale", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True)
class ImageInfo:
    """What prediction must know beside the weights; kept in every model file.

    Attributes:
        class_names: in the order of the network's outputs.
        input_size: (height, width) in pixels.
        rescale: factor on grey levels of 0..255.
        color_mode: "rgb", "grayscale" or "rgba".
        interpolation: how images are resized.
    """

    class_names: tuple[str, ...]
    input_size: tuple[int, int]
    rescale: float = 1 / 255
    color_mode: str = "rgb"
    interpolation: str = "nearest"

    @property
    def spec(self) -> DecodeSpec:
        return DecodeSpec(self.input_size, self.color_mode, self.interpolation)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as model files keep them."""
        return {
            "class_names": list(self.class_names),
            "input_size": list(self.input_size),
            "rescale": self.rescale,
            "color_mode": self.color_mode,
            "interpolation": self.interpolation,
        }

    @classmethod
    def of_recipe(cls, recipe: Recipe, class_names: Sequence[str]) -> ImageInfo:
        data = recipe.data
        return cls(tuple(class_names), recipe.model.input_size, data.rescale, data.color_mode, data.interpolation)

    @classmethod
    def of_model(cls, model: Any) -> ImageInfo:
        """From a loaded model; what its file does not say is told by its shapes, with a note on stderr.

        Raises:
            InputError: the model takes no images, or none of a fixed size.
        """
        height, width, channels = _image_shape(model)
        said: Mapping[str, Any] = model.image_info or {}
        names = said.get("class_names")
        if not names:
            units = int(model.output_shape[-1])
            names = [f"class_{index}" for index in range(max(2, units))]
            _note(f"the model file has no class names: they are called {names[0]} to {names[-1]}")
        rescale = said.get("rescale")
        if rescale is None:
            scales = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
            rescale = 1.0 if scales or said else 1 / 255
            if not said:
                _note(f"the model file does not say how it was fed: images are multiplied by {rescale:.6g}")
        size = said.get("input_size") or (height, width)
        return cls(
            tuple(names),
            (int(size[0]), int(size[1])),
            float(rescale),
            said.get("color_mode") or _COLOR_MODES[channels],
            said.get("interpolation") or "nearest",
        )


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _image_shape(model: Any) -> tuple[int, int, int]:
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in _COLOR_MODES:
        raise InputError(f"The model takes inputs of shape {shape}. Expected images: (None, height, width, 1, 3 or 4).")
    said = (model.image_info or {}).get("input_size") or (None, None)
    height, width = shape[1] or said[0], shape[2] or said[1]
    if not height or not width:
        raise InputError("The model takes images of any size and its file names none, so they cannot be batched.")
    return height, width, shape[3]


def prediction_feed(
    info: ImageInfo, paths: Sequence[str], batch_size: int, strict: bool, mirrored: bool = False
) -> ImageFeed:
    """Files in their order, decoded as they are read: constant memory, however many they are."""
    return ImageFeed.from_paths(
        paths,
        info.spec,
        batch_size=batch_size,
        standardize=Standardize(rescale=info.rescale, mirrored=mirrored),
        skip_unreadable=not strict,
    )


def report_unreadable(skipped: Sequence[Unreadable], total: int) -> None:
    """Name on stderr the files that were skipped, and count them.

    Raises:
        DataError: not one image could be read.
    """
    for found in skipped:
        print(f"skipped: {found.reason}", file=sys.stderr)
    if skipped:
        print(f"{len(skipped)} of {total} images could not be read and were skipped.", file=sys.stderr)
    if len(skipped) == total:
        raise DataError(f"None of the {total} images could be read.")
