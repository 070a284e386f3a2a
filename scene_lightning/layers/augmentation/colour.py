"""Layers that change the colours of images at random: brightness, contrast, saturation, hue, grey.

Geometry never clips values; these layers clip to `value_range`, as Keras' do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.augmentation.random import Parameters, RandomImageLayer, factor_pair
from scene_lightning.layers.base.arguments import constant
from scene_lightning.layers.base.types import Factor

_GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, as Keras writes it


def _value_range(value: Any) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"The `value_range` argument should be a list of two numbers. Received: value_range={value!r}")
    return min(value), max(value)


def _share(value: Any, name: str = "factor") -> tuple[float, float]:
    """A factor in [0, 1]: f for (0, f), or a pair."""
    if isinstance(value, tuple | list) and len(value) == 2 and value[0] == -value[1]:
        value = abs(value[1])  # what Keras 3.15 writes of a single number, against its own documentation
    low, high = factor_pair(value, name, 0.0, 1.0)
    return (low, high) if isinstance(value, tuple | list) else (0.0, high)


class RandomBrightness(RandomImageLayer):
    """Make images brighter or darker at random.

    One number is drawn for each image and added to all its pixels. Images change in training and, as in Keras, when the
    layer is called by itself; at inference they pass, as float32.

    Args:
        factor: range of that number as a share of `value_range`, within -1 and 1: (low, high), or f for (-f, f).
        value_range: least and largest value of a pixel; outputs are clipped to it.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: data_format; name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether to change them; None: yes in a bare call, else as the model that calls is in training or not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        That of the input, in float32.

    Raises:
        InputError: a factor outside -1 to 1, or no range.
    """

    def __init__(
        self, factor: Factor, value_range: Sequence[float] = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        self.factor = factor_pair(factor, "factor")
        self.value_range = _value_range(value_range)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        low, high = self.value_range
        return {"delta": (high - low) * self._between(self.factor, shape[0], device)}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        return (images + parameters["delta"].view(-1, 1, 1, 1)).clamp_(*self.value_range)


class RandomContrast(RandomImageLayer):
    """Raise or lower the contrast of images at random.

    Each channel is stretched about its mean, all channels of an image by one factor from [1 - low, 1 + high]. Images
    change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        factor: (low, high), or f for both, within 0 and 1. So Keras documents it; the code of Keras 3.15 takes one f as
            (0, f).
        value_range: least and largest value of a pixel; outputs are clipped to it.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: data_format; name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: images, of pixels in any range.
        training: whether to change them; None: yes in a bare call, else as the model that calls is in training or not.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        That of the input, in float32.

    Raises:
        InputError: a factor outside 0 to 1, or no range.
    """

    def __init__(
        self, factor: Factor, value_range: Sequence[float] = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        data_format = kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        low, high = factor_pair(factor, "factor", 0.0, 1.0)
        self.factor = (abs(low), high)
        self.value_range = _value_range(value_range)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        return {"contrast": self._between((1 - self.factor[0], 1 + self.factor[1]), shape[0], device)}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        mean = images.mean(dim=(1, 2), keepdim=True)
        return ((images - mean) * parameters["contrast"].view(-1, 1, 1, 1) + mean).clamp_(*self.value_range)


class RandomGrayscale(RandomImageLayer):
    """Make a random share of the images grey.

    Red, green and blue become their weighted mean (ITU-R 601); the channels stay. Images change in training and, as in
    Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        factor: the share, from 0 to 1.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
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
        InputError: a factor outside 0 to 1.
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(factor, int | float) or not 0 <= factor <= 1:
            raise InputError(f"`factor` should be between 0 and 1. Received: factor={factor}")
        self.factor = float(factor)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        return {"grey": self._between((0, 1), shape[0], device) < self.factor}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        if images.shape[-1] == 1:
            return images
        grey = (images * constant(_GREY, images)).sum(-1, keepdim=True)
        return torch.where(parameters["grey"].view(-1, 1, 1, 1), grey, images)


class _RandomColour(RandomImageLayer):
    """The base of the layers that change hue or saturation by a factor from 0 to 1."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = _share(factor)
        self.value_range = _value_range(value_range)
        self._set_random(seed, data_format)


class RandomSaturation(_RandomColour):
    """Make the colours of images paler or stronger at random.

    With a factor f drawn for each image, the saturation is multiplied by f / (1 - f): 0 is grey, 0.5 leaves it, 1 is
    full. Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as
    float32.

    Args:
        factor: range of f, within 0 and 1: (low, high), or one f for (0, f). So Keras documents it; the code of Keras
            3.15 takes one f as (-f, f), which makes half of the images grey.
        value_range: range that the new saturation is clipped to, as in Keras; a saturation is a share, from 0 to 1.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
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
        InputError: a factor outside 0 to 1, or images without 3 channels.
    """

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        factor = self._between(self.factor, shape[0], device)
        return {"saturation": factor / (1 - factor + 1e-7)}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        hue, saturation, value = _hsv(images)
        saturation = (saturation * parameters["saturation"].view(-1, 1, 1)).clamp(*self.value_range)
        return _rgb(hue, saturation, value)


class RandomHue(_RandomColour):
    """Turn the hues of images at random.

    With a factor f drawn for each image, hues turn by f half circles one way or the other. Images change in training
    and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        factor: range of f, within 0 and 1: (low, high), or one f for (0, f).
        value_range: least and largest value of a pixel; outputs are clipped to it.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
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
        InputError: a factor outside 0 to 1, or images without 3 channels.
    """

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        sign = torch.where(self._between((0, 1), shape[0], device) > 0.5, -1.0, 1.0)
        return {"hue": 0.5 * sign * self._between(self.factor, shape[0], device)}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        low, high = self.value_range
        hue, saturation, value = _hsv((images - low) / (high - low))
        turned = hue + parameters["hue"].view(-1, 1, 1)
        turned = torch.where(turned > 1, turned - 1, turned)
        turned = torch.where(turned < 0, turned + 1, turned)
        return _rgb(turned, saturation, value).clamp(0, 1) * (high - low) + low


class RandomColorJitter(RandomImageLayer):
    """Change brightness, contrast, saturation and hue at random, in that order.

    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        value_range: least and largest value of a pixel; outputs are clipped to it.
        brightness_factor: as `factor` of `RandomBrightness`; None: brightness stays.
        contrast_factor: as `factor` of `RandomContrast`; None: contrast stays.
        saturation_factor: as `factor` of `RandomSaturation`; None: saturation stays.
        hue_factor: as `factor` of `RandomHue`; None: hue stays.
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
        InputError: a factor out of range, or images without 3 channels.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: Factor | None = None,
        contrast_factor: Factor | None = None,
        saturation_factor: Factor | None = None,
        hue_factor: Factor | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.value_range = _value_range(value_range)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        self._set_random(seed, data_format)
        kinds = (RandomBrightness, RandomContrast, RandomSaturation, RandomHue)
        factors = (brightness_factor, contrast_factor, saturation_factor, hue_factor)
        self._steps = [
            kind(factor, value_range=self.value_range, seed=seed, name=f"{self.name}_{kind.__name__}")
            for kind, factor in zip(kinds, factors, strict=True)
            if factor is not None
        ]

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        drawn: Parameters = {}
        for step in self._steps:
            drawn.update(step.draw(shape, device))
        return drawn

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        for step in self._steps:
            images = step.transform(images, parameters)
        return images


def _hsv(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hue and saturation from 0 to 1, and value, of images (..., 3). Raises InputError for other depths."""
    if images.shape[-1] != 3:
        raise InputError(f"Hue and saturation need 3 colour channels; received images of shape {tuple(images.shape)}.")
    red, green, blue = images.unbind(-1)
    value, spread = images.amax(-1), images.amax(-1) - images.amin(-1)
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, 1.0), 0.0)
    norm = 1 / (6 * torch.where(spread > 0, spread, 1.0))
    hue = torch.where(value == green, norm * (blue - red) + 2 / 6, norm * (red - green) + 4 / 6)
    hue = torch.where(value == red, norm * (green - blue), hue)
    return torch.where(spread > 0, hue, 0.0) + (hue < 0), saturation, value


def _rgb(hue: torch.Tensor, saturation: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The reverse of `_hsv`."""
    sixths = torch.remainder(hue, 1.0) * 6
    parts = ((sixths - 3).abs() - 1, 2 - (sixths - 2).abs(), 2 - (sixths - 4).abs())
    return torch.stack([value * (1 - saturation + saturation * part.clamp(0, 1)) for part in parts], dim=-1)


__all__ = [
    "RandomBrightness", "RandomColorJitter", "RandomContrast", "RandomGrayscale", "RandomHue", "RandomSaturation",
]  # fmt: skip
