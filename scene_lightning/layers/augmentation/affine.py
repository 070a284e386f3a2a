"""Random rotations, zooms, shifts and shears: one affine matrix a sample."""

from __future__ import annotations

import math
from typing import Any

import torch

from scene_lightning.layers.augmentation.random import Parameters, RandomImageLayer, affine, check_fill, factor_pair
from scene_lightning.layers.base.types import Factor


class RandomAffine(RandomImageLayer):
    """The base of layers that change each image by one affine matrix."""

    fill_mode: str
    interpolation: str
    fill_value: float

    def _set_affine(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        self.fill_mode, self.interpolation = check_fill(fill_mode, interpolation, type(self).__name__)
        self.fill_value = float(fill_value)

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        """Matrices (N, 2, 3) that take an output place (x, y, 1) to an input place (x, y), in pixels."""
        raise NotImplementedError

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        matrices = self.matrices(parameters, images.shape[1], images.shape[2])
        return affine(images, matrices, self.fill_mode, self.interpolation, self.fill_value)


def _stack(rows: list[list[Any]], like: torch.Tensor) -> torch.Tensor:
    """Stack 2 x 3 numbers or tensors of (N,) to (N, 2, 3)."""
    numbers = [n for row in rows for n in row]
    flat = [n.to(like).expand_as(like) if isinstance(n, torch.Tensor) else torch.full_like(like, n) for n in numbers]
    return torch.stack(flat, dim=-1).view(-1, 2, 3)


class RandomRotation(RandomAffine):
    """Turn images about their middle by random angles.

    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        factor: range of the angle as a share of a full turn: (low, high), or f for (-f, f): 0.1 is up to 36 degrees
            either way. Positive angles turn counter-clockwise.
        fill_mode: what stands outside the image: "reflect" (d c b a | a b c d | d c b a), "wrap" (a b c d | a b c d | a
            b c d), "nearest" (a a a a | a b c d | d d d d) or "constant", `fill_value`.
        interpolation: "bilinear" or "nearest".
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        fill_value: value outside the image for "constant".
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
        InputError: a factor outside -1 to 1, or an unknown mode.
    """

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor_pair(factor, "factor")
        self._set_affine(fill_mode, interpolation, fill_value)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        return {"degrees": 360.0 * self._between(self.factor, shape[0], device)}

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        angle = parameters["degrees"] * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        x, y = (width - 1) / 2, (height - 1) / 2
        return _stack([[cos, -sin, x - x * cos + y * sin], [sin, cos, y - x * sin - y * cos]], angle)


class RandomZoom(RandomAffine):
    """Enlarge or shrink images about their middle at random.

    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        height_factor: range of the change, within -1 and 1: (low, high), or f for (-f, f). Negative numbers enlarge: at
            -0.3 the image shows 70 % of its height.
        width_factor: the same for the width, drawn by itself; None: the aspect ratio stays.
        fill_mode: what stands outside the image: "reflect" (d c b a | a b c d | d c b a), "wrap" (a b c d | a b c d | a
            b c d), "nearest" (a a a a | a b c d | d d d d) or "constant", `fill_value`.
        interpolation: "bilinear" or "nearest".
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        fill_value: value outside the image for "constant".
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
        InputError: a factor outside -1 to 1, or an unknown mode.
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height_factor = factor_pair(height_factor, "height_factor", open_low=True)
        self.width_factor = None if width_factor is None else factor_pair(width_factor, "width_factor", open_low=True)
        self._set_affine(fill_mode, interpolation, fill_value)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        height = 1 + self._between(self.height_factor, shape[0], device)
        if self.width_factor is None:
            return {"height_zoom": height, "width_zoom": height}
        return {"height_zoom": height, "width_zoom": 1 + self._between(self.width_factor, shape[0], device)}

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        rows, columns = parameters["height_zoom"], parameters["width_zoom"]
        x, y = (width - 1) / 2 * (1 - columns), (height - 1) / 2 * (1 - rows)
        return _stack([[columns, 0, x], [0, rows, y]], rows)


class RandomTranslation(RandomAffine):
    """Shift images at random.

    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        height_factor: range of the shift as a share of the height, within -1 and 1: (low, high), or f for (-f, f);
            positive is down.
        width_factor: the same for the width; positive is right.
        fill_mode: what stands outside the image: "reflect" (d c b a | a b c d | d c b a), "wrap" (a b c d | a b c d | a
            b c d), "nearest" (a a a a | a b c d | d d d d) or "constant", `fill_value`.
        interpolation: "bilinear" or "nearest".
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        fill_value: value outside the image for "constant".
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
        InputError: a factor outside -1 to 1, or an unknown mode.
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height_factor = factor_pair(height_factor, "height_factor")
        self.width_factor = factor_pair(width_factor, "width_factor")
        self._set_affine(fill_mode, interpolation, fill_value)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        return {
            "down": shape[1] * self._between(self.height_factor, shape[0], device),
            "right": shape[2] * self._between(self.width_factor, shape[0], device),
        }

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        down, right = parameters["down"], parameters["right"]
        return _stack([[1, 0, -right], [0, 1, -down]], down)


class RandomShear(RandomAffine):
    """Slant images at random.

    Rows are shifted in proportion to their height, and columns in proportion to their place, one way or the other.
    Images change in training and, as in Keras, when the layer is called by itself; at inference they pass, as float32.

    Args:
        x_factor: range of the slant of rows, in pixels a row, within 0 and 1: (low, high), or f for (-f, f).
        y_factor: the same for columns.
        interpolation: "bilinear" or "nearest".
        fill_mode: what stands outside the image: "reflect", "wrap", "nearest" or "constant", as for `RandomRotation`.
        fill_value: value outside the image for "constant".
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
        InputError: a factor outside 0 to 1, or an unknown mode.
    """

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.x_factor, self.y_factor = _shear_pair(x_factor, "x_factor"), _shear_pair(y_factor, "y_factor")
        self._set_affine(fill_mode, interpolation, fill_value)
        self._set_random(seed, data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        sign = torch.where(self._between((0, 1), shape[0], device) > 0.5, -1.0, 1.0)
        along = self._between(self.x_factor, shape[0], device)
        down = self._between(self.y_factor, shape[0], device)
        return {"x_shear": sign * along, "y_shear": sign * down}

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        x, y = parameters["x_shear"], parameters["y_shear"]
        return _stack([[1, x, 0], [y, 1, 0]], x)

    def get_config(self) -> dict[str, Any]:
        # Keras takes no negative number back: a symmetric pair is written as the number that made it.
        config = super().get_config()
        for name in ("x_factor", "y_factor"):
            low, high = config[name]
            config[name] = high if low == -high else [low, high]
        return config


def _shear_pair(value: Any, name: str) -> tuple[float, float]:
    if isinstance(value, tuple | list) and len(value) == 2 and value[0] == -value[1]:
        value = abs(value[1])  # Keras' own config of a single number, which Keras itself refuses to read
    return factor_pair(value, name, 0.0, 1.0)


__all__ = ["RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom"]
