"""Images in; brighter, flatter, greyer or otherwise coloured images out. Keras: "Image augmentation layers".

Geometry never clips values; these layers clip to `value_range`, as Keras' do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import constant
from scene_lightning.layers.base.types import Factor
from scene_lightning.layers.preprocessing_random import Parameters, RandomImageLayer, factor_pair

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
    """Add the same number to all pixels of an image. Keras: `keras.layers.RandomBrightness`.

    Args:
        factor: f for (-f, f), in [-1, 1], as a share of `value_range`.
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
    """Stretch each channel about its mean by a factor in [1 - low, 1 + high]. Keras: `keras.layers.RandomContrast`.

    Args:
        factor: (low, high), or f for both, as Keras documents it (Keras 3.15's code takes a single f as (0, f)).
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
    """Make a share `factor` of the images grey, with their channels kept. Keras: `keras.layers.RandomGrayscale`."""

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


class RandomSaturation(RandomImageLayer):
    """Multiply the saturation: 0 is grey, 0.5 is unchanged, 1 is full. Keras: `keras.layers.RandomSaturation`.

    A single f is (0, f), as Keras documents it (Keras 3.15's code takes it as (-f, f), which makes half of them grey).
    """

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

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        factor = self._between(self.factor, shape[0], device)
        return {"saturation": factor / (1 - factor + 1e-7)}

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        hue, saturation, value = _hsv(images)
        saturation = (saturation * parameters["saturation"].view(-1, 1, 1)).clamp(*self.value_range)
        return _rgb(hue, saturation, value)


class RandomHue(RandomImageLayer):
    """Turn the hue by up to half the circle times `factor`. Keras: `keras.layers.RandomHue`."""

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
    """Brightness, contrast, saturation and hue, in that order, where given. Keras: `keras.layers.RandomColorJitter`."""

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
    """(..., 3) red, green, blue → hue and saturation in 0 to 1, and value. Raises InputError for other depths."""
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
