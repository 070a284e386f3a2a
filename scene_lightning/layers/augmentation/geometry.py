"""Layers that flip, crop and stretch images at random."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.augmentation.random import Parameters, RandomImageLayer, factor_pair
from scene_lightning.layers.base.arguments import one_of, positive_int
from scene_lightning.layers.base.types import Factor, Shape, ShapeLike
from scene_lightning.layers.preprocessing import crop_to_aspect, resize

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomFlip(RandomImageLayer):
    """Mirror each image with a probability of one half.

    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        mode: "horizontal" (left and right change places), "vertical" (top and bottom), or "horizontal_and_vertical",
            which turns half of the images by 180 degrees: both axes flip on one draw, as in Keras 3.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether to change them; None: yes in a bare call, else as the model that calls is in training or not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        That of the input, in float32.

    Raises:
        InputError: an unknown mode.

    Example:
        >>> images = torch.rand(8, 150, 150, 3)
        >>> keras.layers.RandomFlip("horizontal")(images).shape
        torch.Size([8, 150, 150, 3])
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
    """Cut a window out of images, at a random place that the whole batch shares.

    At inference, and of images that are too small, the largest central window of that shape is cut out and resized. So
    Keras documents it; the code of Keras 3.15 then leaves the images as they are, which no network of fixed size could
    take.

    Args:
        height: height of the window, in pixels.
        width: width of the window, in pixels.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether the place is random; None: yes in a bare call, else as the model that calls is in training or
            not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        The same with the new height and width, in float32.

    Raises:
        InputError: sizes that are no positive whole numbers.
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

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self._sized(input_shape, self.height, self.width)


class _RandomSide(RandomImageLayer):
    """The base of `RandomHeight` and `RandomWidth`: one side of the whole batch is scaled by a random factor."""

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

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        rows = -3 if self.data_format == "channels_last" else -2
        sides = [input_shape[rows], input_shape[rows + 1]]
        sides[self._axis - 1] = None
        return self._sized(input_shape, sides[0], sides[1])


class RandomHeight(_RandomSide):
    """Stretch or squeeze the height of images at random.

    The whole batch gets one height, between (1 + low) and (1 + high) times its own. Keras 2's layer, which Keras 3 no
    longer has. Images change in training and, as in Keras, when the layer is called by itself; at inference they pass,
    as float32.

    Args:
        factor: (low, high), above -1, or f for (-f, f): 0.2 is up to 20 % more or less.
        interpolation: "bilinear", "nearest", "bicubic" or "area".
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether to change them; None: yes in a bare call, else as the model that calls is in training or not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        The same with another height, in float32.

    Raises:
        InputError: a factor of -1 or less, or an unknown interpolation.
    """

    _axis = 1


class RandomWidth(_RandomSide):
    """Stretch or squeeze the width of images at random.

    The whole batch gets one width, between (1 + low) and (1 + high) times its own. Keras 2's layer, which Keras 3 no
    longer has. Images change in training and, as in Keras, when the layer is called by itself; at inference they pass,
    as float32.

    Args:
        factor: (low, high), above -1, or f for (-f, f): 0.2 is up to 20 % more or less.
        interpolation: "bilinear", "nearest", "bicubic" or "area".
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether to change them; None: yes in a bare call, else as the model that calls is in training or not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        The same with another width, in float32.

    Raises:
        InputError: a factor of -1 or less, or an unknown interpolation.
    """

    _axis = 2


__all__ = ["RandomCrop", "RandomFlip", "RandomHeight", "RandomWidth"]
