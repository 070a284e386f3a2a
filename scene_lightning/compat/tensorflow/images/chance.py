"""`tf.image.random_*` and `stateless_random_*`: one change of random size, from torch's generator or from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.images import colour, geometry
from scene_lightning.compat.tensorflow.images.arguments import picture, require
from scene_lightning.compat.tensorflow.images.files import adjust_jpeg_quality
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation
from scene_lightning.compat.tensorflow.random import _seeded


def _between(low: Any, high: Any) -> float:
    return float(torch.rand(())) * (float(high) - float(low)) + float(low)


def _factor(lower: Any, upper: Any) -> float:
    require(float(upper) > float(lower), f"upper must be > lower; received {lower} and {upper}.")
    require(float(lower) >= 0, f"lower must be non-negative; received {lower}.")
    return _between(lower, upper)


@operation
def random_brightness(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """Changes the brightness by a random amount, the same for all images of a batch.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        max_delta: the most that is added or taken; 1 is the whole range.
        seed: for TensorFlow's sake, without effect.
    """
    require(float(max_delta) >= 0, f"max_delta must be non-negative; received {max_delta}.")
    return colour.adjust_brightness(image, _between(-max_delta, max_delta))


@operation
def random_contrast(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """Multiplies the contrast by a random factor.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        lower, upper: the factor's range; 0 ≤ lower < upper.
        seed: for TensorFlow's sake, without effect.
    """
    return colour.adjust_contrast(image, _factor(lower, upper))


@operation
def random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """Multiplies the saturation by a random factor.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        lower, upper: the factor's range; 0 ≤ lower < upper.
        seed: for TensorFlow's sake, without effect.
    """
    return colour.adjust_saturation(image, _factor(lower, upper))


@operation
def random_hue(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """Turns the hue by a random angle.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        max_delta: the most, in 0..0.5; 1 is a full turn.
        seed: for TensorFlow's sake, without effect.
    """
    require(0 <= float(max_delta) <= 0.5, f"max_delta must be between 0 and 0.5; received {max_delta}.")
    return colour.adjust_hue(image, _between(-max_delta, max_delta))


def random_jpeg_quality(image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: Any = None) -> Any:
    """Shows an image as a JPEG of random quality would.

    Args:
        image: (height, width, channels).
        min_jpeg_quality, max_jpeg_quality: the range, in 0..100; the upper end is not drawn.
        seed: for TensorFlow's sake, without effect.
    """
    low, high = int(min_jpeg_quality), int(max_jpeg_quality)
    require(0 <= low <= 100 and 0 <= high <= 100, "jpeg encoding range must be between 0 and 100.")
    require(low < high, "`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    return adjust_jpeg_quality(image, int(torch.randint(low, high, ())))


def random_crop(value: Any, size: Any, seed: Any = None, name: Any = None) -> Any:
    """Cuts a part of a given size out of a tensor, at a random place.

    Args:
        value: tensor, array, list or number.
        size: length along every axis; -1 takes all of it.
        seed, name: for TensorFlow's sake, without effect.
    """
    tensor = as_tensor(value)
    sides = [side if int(part) == -1 else int(part) for side, part in zip(tensor.shape, size, strict=True)]
    require(
        all(part <= side for side, part in zip(tensor.shape, sides, strict=True)),
        f"Need value.shape >= size; got {tuple(tensor.shape)} and {tuple(sides)}.",
    )
    starts = [int(torch.randint(side - part + 1, ())) for side, part in zip(tensor.shape, sides, strict=True)]
    return tensor[tuple(slice(start, start + part) for start, part in zip(starts, sides, strict=True))]


def _randomly(function: Callable[[Any], Any], doc: str) -> Callable[..., Any]:
    def call(image: Any, seed: Any = None) -> Any:
        given = picture(image)
        if given.ndim == 3:
            return function(given) if torch.rand(()) < 0.5 else given
        chosen = (torch.rand(len(given)) < 0.5).to(given.device).view(-1, 1, 1, 1)
        return torch.where(chosen, function(given), given)

    call.__doc__ = doc
    return operation(call)


random_flip_left_right = _randomly(geometry.flip_left_right, "Each image mirrored with probability one half.")
random_flip_up_down = _randomly(geometry.flip_up_down, "Each image upside down with probability one half.")


def _stateless(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(image: Any, *args: Any, **kwargs: Any) -> Any:
        rest, seed = (args, kwargs.pop("seed")) if "seed" in kwargs else (args[:-1], args[-1])
        with _seeded(seed):
            return function(image, *rest, **kwargs)

    call.__doc__ = f"{function.__doc__} The same for the same two numbers of `seed`."
    return call


stateless_random_brightness = _stateless(random_brightness)
stateless_random_contrast = _stateless(random_contrast)
stateless_random_saturation = _stateless(random_saturation)
stateless_random_hue = _stateless(random_hue)
stateless_random_flip_left_right = _stateless(random_flip_left_right)
stateless_random_flip_up_down = _stateless(random_flip_up_down)
stateless_random_crop = _stateless(random_crop)
stateless_random_jpeg_quality = _stateless(random_jpeg_quality)
