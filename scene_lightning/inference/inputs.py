"""Says how a model wants its images, from its file or a recipe, and makes the feeds that it predicts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import InputError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.messages import note

_COLOR_MODES = {channels: mode for mode, channels in CHANNELS.items()}


def info_of_recipe(recipe: Recipe, class_names: Sequence[str]) -> ImageInfo:
    """Say how a recipe's network wants its images.

    Args:
        recipe: the recipe.
        class_names: in the order of the network's outputs.
    """
    data = recipe.data
    size = recipe.model.input_size
    thresholds = (0.5,) * len(class_names) if data.multi_label else None
    return ImageInfo(
        tuple(class_names),
        size,
        data.rescale,
        data.color_mode,
        data.interpolation,
        data.fit,
        thresholds=thresholds,
        scaled_decoding=data.scaled_decoding,
    )


def info_of_model(model: Any) -> ImageInfo:
    """Say how a loaded model wants its images; what its file does not say is told by its shapes, with a note on stderr.

    Args:
        model: the loaded model.

    Raises:
        InputError: the model takes no images, or none of a fixed size.
    """
    height, width, channels = _image_shape(model)
    known: Mapping[str, Any] = model.image_info or {}
    names = known.get("class_names")
    if not names:
        units = int(model.output_shape[-1])
        names = [f"class_{index}" for index in range(max(2, units))]
        note(f"the model file has no class names: they are called {names[0]} to {names[-1]}")
    rescale = known.get("rescale")
    if rescale is None:
        scales = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
        rescale = 1.0 if scales or known else 1 / 255
        if not known:
            note(f"the model file does not say how it was fed: images are multiplied by {rescale:.6g}")
    size = known.get("input_size") or (height, width)
    return ImageInfo(
        tuple(names),
        (int(size[0]), int(size[1])),
        float(rescale),
        known.get("color_mode") or _COLOR_MODES[channels],
        known.get("interpolation") or "nearest",
        known.get("fit") or "stretch",
        known.get("rejection"),
        known.get("thresholds"),
        bool(known.get("scaled_decoding", True)),
    )


def _image_shape(model: Any) -> tuple[int, int, int]:
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in _COLOR_MODES:
        raise InputError(f"The model takes inputs of shape {shape}. Expected images: (None, height, width, 1, 3 or 4).")
    size = (model.image_info or {}).get("input_size") or (None, None)
    height, width = shape[1] or size[0], shape[2] or size[1]
    if not height or not width:
        raise InputError("The model takes images of any size and its file names none, so they cannot be batched.")
    return height, width, shape[3]


def prediction_feed(
    info: ImageInfo, paths: Sequence[str], batch_size: int, strict: bool, mirrored: bool = False
) -> ImageFeed:
    """Make the feed that predicts from files in their order, decoded as they are read, in constant memory.

    Args:
        info: how the model wants its images.
        paths: the files.
        batch_size: images a batch.
        strict: an unreadable image is an error; otherwise it is left out.
        mirrored: whether left and right are exchanged.
    """
    feed = ImageFeed.from_paths(
        paths,
        info.spec,
        batch_size=batch_size,
        standardize=Standardize(rescale=info.rescale, mirrored=mirrored),
        skip_unreadable=not strict,
    )
    feed.idle = True  # of more devices than images some have nothing to do
    return feed
