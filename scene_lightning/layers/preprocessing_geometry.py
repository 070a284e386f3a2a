"""Images in; flipped, rotated, zoomed, shifted, sheared or cropped images out. Keras: "Image augmentation layers"."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import one_of, positive_int
from scene_lightning.layers.base.types import Factor, Shape
from scene_lightning.layers.preprocessing import crop_to_aspect, resize
from scene_lightning.layers.preprocessing_random import (
    Parameters,
    RandomImageLayer,
    factor_pair,
)

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomFlip(RandomImageLayer):
    """Mirror each image with probability 1/2. Keras: `keras.layers.RandomFlip`.

    "horizontal_and_vertical" turns both axes together on one draw (the identity or half a turn), as Keras 3 does.
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = one_of(mode, _FLIPS, "mode", "RandomFlip")
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        return {"flips": self._between((0, 1), shape[0], device) <= 0.5}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        axes = {"horizontal": [2], "vertical": [1]}.get(self.mode, [1, 2])
        return torch.where(parameters["flips"].view(-1, 1, 1, 1), images.flip(axes), images)


class RandomCrop(RandomImageLayer):
    """A random height x width window, the same for the whole batch. Keras: `keras.layers.RandomCrop`.

    In inference, and for images too small, the largest window of that shape in the middle, resized (Keras' documented
    behaviour; Keras 3.15 itself then leaves the images as they are, which no fixed-size network could take).
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.height, self.width = positive_int(height, "height"), positive_int(width, "width")
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        # on the CPU: the offsets are slice bounds, and one place serves the whole batch
        top, left = self._between((0, 1), 2, torch.device("cpu"))
        return {
            "top": (top * max(0, shape[1] - self.height + 1)).long(),
            "left": (left * max(0, shape[2] - self.width + 1)).long(),
        }

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        if images.shape[1] < self.height or images.shape[2] < self.width:
            return self.at_inference(images)
        top, left = int(parameters["top"]), int(parameters["left"])
        return images[:, top : top + self.height, left : left + self.width]

    def at_inference(self, images: torch.Tensor) -> torch.Tensor:
        size = (self.height, self.width)
        return resize(crop_to_aspect(images, size), size, "bilinear")

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return self._sized(input_shape, self.height, self.width)


class RandomSide(RandomImageLayer):
    """One side of the whole batch scaled by a random factor in [1 + low, 1 + high] (Keras 2)."""

    _axis: int

    def __init__(
        self,
        factor: Factor,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_pair(factor, "factor", low=-1.0, high=10.0)
        if self.factor[0] <= -1:
            raise InputError(f"`factor` cannot have values of -1 or less. Received: factor={factor}")
        self.interpolation = one_of(
            interpolation, ("nearest", "bilinear", "bicubic", "area"), "interpolation", type(self).__name__
        )
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        scale = 1 + self._between(self.factor, 1, torch.device("cpu"))
        return {"side": (scale * shape[self._axis]).long().clamp_min(1)[0]}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        size = [images.shape[1], images.shape[2]]
        size[self._axis - 1] = int(parameters["side"])
        return resize(images, (size[0], size[1]), self.interpolation)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        rows = -3 if self.data_format == "channels_last" else -2
        sides = [input_shape[rows], input_shape[rows + 1]]
        sides[self._axis - 1] = None
        return self._sized(input_shape, sides[0], sides[1])


class RandomHeight(RandomSide):
    """A random height. Keras 2: `keras.layers.RandomHeight` (gone from Keras 3)."""

    _axis = 1


class RandomWidth(RandomSide):
    """A random width. Keras 2: `keras.layers.RandomWidth` (gone from Keras 3)."""

    _axis = 2
