"""Images in; flipped, rotated, zoomed, shifted, sheared or cropped images out. Keras: "Image augmentation layers"."""

from __future__ import annotations

import math
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import one_of, positive_int
from scene_lightning.layers.base.windows import Shape
from scene_lightning.layers.preprocessing import crop_to_aspect, resize
from scene_lightning.layers.preprocessing_random import (
    Parameters,
    RandomImageLayer,
    affine,
    check_fill,
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


class RandomAffine(RandomImageLayer):
    """A layer whose transform is one affine matrix a sample."""

    fill_mode: str
    interpolation: str
    fill_value: float

    def _set_affine(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        self.fill_mode, self.interpolation = check_fill(fill_mode, interpolation, type(self).__name__)
        self.fill_value = float(fill_value)

    def matrices(self, parameters: Parameters, height: int, width: int) -> torch.Tensor:
        """Parameters → (N, 2, 3): output (x, y, 1) to input (x, y), in pixels."""
        raise NotImplementedError

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        matrices = self.matrices(parameters, images.shape[1], images.shape[2])
        return affine(images, matrices, self.fill_mode, self.interpolation, self.fill_value)


def _stack(rows: list[list[Any]], like: torch.Tensor) -> torch.Tensor:
    """2 x 3 numbers or (N,) tensors → (N, 2, 3)."""
    flat = [torch.as_tensor(n, dtype=like.dtype, device=like.device).expand_as(like) for row in rows for n in row]
    return torch.stack(flat, dim=-1).view(-1, 2, 3)


class RandomRotation(RandomAffine):
    """Turn about the middle. Keras: `keras.layers.RandomRotation`.

    Args:
        factor: a share of a full turn, f for (-f, f): 0.1 is up to 36 degrees either way; positive is
            counter-clockwise.
        fill_mode: "reflect", "wrap", "constant" (with `fill_value`) or "nearest".
    """

    def __init__(
        self,
        factor: Any,
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
    """Enlarge (negative factors) or shrink about the middle. Keras: `keras.layers.RandomZoom`.

    Args:
        height_factor: f for (-f, f), in (-1, 1]; -0.3 shows 70 % of the height.
        width_factor: as `height_factor`; None keeps the aspect ratio.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
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
    """Shift by shares of the height and width; positive is down and right. Keras: `keras.layers.RandomTranslation`."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
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
    """Slant along x and y. Keras: `keras.layers.RandomShear`; factors in [0, 1]."""

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
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
        factor: Any,
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
