"""Layers that rescale, resize, crop and standardise whole batches of images, on any device, into float32.

A single image (height, width, channels) is taken too, as in Keras.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from scene_lightning._settings import as_float, epsilon
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import constant, layout, one_of, positive_int
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape, ShapeLike
from scene_lightning.layers.base.windows import from_channels_first, to_channels_first
from scene_lightning.layers.regularization import SameShape

_TORCH_MODES = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic", "area": "area"}


class Rescaling(SameShape):
    """Multiply by a number and add another, in float32.

    outputs = inputs·scale + offset: scale=1/255 brings pixels into 0 to 1; scale=1/127.5 with offset=-1 into -1 to 1.

    Args:
        scale: factor: one number, or one a channel.
        offset: what is added after it: one number, or one a channel.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any, of any dtype; channels last where there is a number a channel.

    Output shape:
        That of the input, in float32.

    Raises:
        InputError: something that is no number.

    Example:
        >>> pixels = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
        >>> keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels).unique().tolist()
        [1.0]
    """

    def __init__(self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = _number_or_list(scale, "scale")
        self.offset = _number_or_list(offset, "offset")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        if isinstance(self.scale, float) and isinstance(self.offset, float):
            scaled = inputs * self.scale  # uint8 times a float is float32 in one pass
            return scaled + self.offset if self.offset else scaled
        values = as_float(inputs)
        return values * constant(self.scale, values) + constant(self.offset, values)


def _number_or_list(value: Any, name: str) -> float | list[float]:
    if isinstance(value, dict):  # a Keras 3 file: {"class_name": "__numpy__", "config": {"value": […]}}
        value = value.get("config", {}).get("value")
    try:
        values = np.asarray(value, dtype="float64")
    except (TypeError, ValueError) as error:
        raise InputError(f"Rescaling's `{name}` must be a number or a list of numbers; received {value!r}.") from error
    return float(values) if values.ndim == 0 else values.tolist()


class ImageLayer(StandardLayer):
    """The base of layers on images: rank 3 or 4, either layout, float32 out. `_images` sees a batch, channels last."""

    data_format: str

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return on_batch(inputs, self.data_format, self._images)

    def _images(self, images: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def _sized(self, input_shape: Any, height: int | None, width: int | None) -> Shape:
        shape = list(input_shape)
        if len(shape) not in (3, 4):
            raise InputError(f"{type(self).__name__} takes (H, W, C) or (N, H, W, C); received shape {tuple(shape)}.")
        rows, columns = (-3, -2) if self.data_format == "channels_last" else (-2, -1)
        shape[rows], shape[columns] = height, width
        return tuple(shape)


def on_batch(inputs: torch.Tensor, data_format: str, transform: Any) -> torch.Tensor:
    """`transform` applied to float (N, H, W, C) whatever the layout and rank of `inputs`.

    Args:
        inputs: one image or a batch, in the layout of `data_format`.
        data_format: "channels_last" or "channels_first".
        transform: function of a float batch (batch, height, width, channels) that gives another.
    """
    if inputs.ndim not in (3, 4):
        raise InputError(
            "Expected the input image to be rank 3 or 4, (H, W, C) or (N, H, W, C). "
            f"Received inputs.shape={tuple(inputs.shape)}"
        )
    images = as_float(inputs if inputs.ndim == 4 else inputs.unsqueeze(0))
    if data_format == "channels_last":
        images = transform(images)
    else:
        images = transform(images.movedim(1, -1)).movedim(-1, 1)
    return images if inputs.ndim == 4 else images.squeeze(0)


def resize(images: torch.Tensor, size: tuple[int, int], interpolation: str, antialias: bool = False) -> torch.Tensor:
    """Resize images with half-pixel centres, as Keras and TensorFlow 2 do.

    Args:
        images: tensor of (batch, height, width, channels).
        size: new (height, width) in pixels.
        interpolation: "nearest", "bilinear", "bicubic" or "area".
        antialias: whether to blur before shrinking; for "bilinear" and "bicubic".
    """
    if tuple(images.shape[1:3]) == size:
        return images
    smooth = interpolation in ("bilinear", "bicubic")
    options: dict[str, Any] = {"align_corners": False, "antialias": antialias} if smooth else {}
    first = to_channels_first(images, "channels_last")
    if options.get("antialias") and size[1] == 1:  # torch 2.14 gets the rows wrong where one column is wanted
        first = F.interpolate(first, size=(size[0], first.shape[3]), mode=_TORCH_MODES[interpolation], **options)
    resized = F.interpolate(first, size=size, mode=_TORCH_MODES[interpolation], **options)
    return from_channels_first(resized, "channels_last")


def crop_to_aspect(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The largest central window of (N, H, W, C) with the aspect ratio of `size`: a view.

    Args:
        images: tensor of (batch, height, width, channels).
        size: a (height, width) of the aspect ratio.
    """
    (height, width), (target_height, target_width) = images.shape[1:3], size
    rows = max(min(height, int(width * target_height / target_width)), 1)
    columns = max(min(width, int(height * target_width / target_height)), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return images[:, top : top + rows, left : left + columns]


def _pad_to_aspect(images: torch.Tensor, size: tuple[int, int], value: float) -> torch.Tensor:
    """Put a border of `value` around images (N, H, W, C), to the aspect ratio of `size`."""
    (height, width), (target_height, target_width) = images.shape[1:3], size
    rows = (max(height, int(width * target_height / target_width)) - height) // 2
    columns = (max(width, int(height * target_width / target_height)) - width) // 2
    return F.pad(images, (0, 0, columns, columns, rows, rows), value=value)


class Resizing(ImageLayer):
    """Resize images to one height and width.

    Pixels have their centres at half numbers, as in Keras and TensorFlow 2.

    Args:
        height: height of the outputs, in pixels.
        width: width of the outputs, in pixels.
        interpolation: "bilinear", "nearest", "bicubic" or "area". Keras has "lanczos3" and "lanczos5" too.
        crop_to_aspect_ratio: whether the largest central window of the target's shape is cut out first, so that nothing
            is distorted.
        pad_to_aspect_ratio: whether a border is added first, instead, so that nothing is distorted or cut off.
        fill_mode: must be "constant".
        fill_value: value of the border.
        antialias: whether images are blurred before they are made smaller.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        The same with the new height and width, in float32.

    Raises:
        InputError: impossible values, cropping and padding at once, or inputs that are no images.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height, self.width = positive_int(height, "height"), positive_int(width, "width")
        self.interpolation = one_of(str(interpolation).lower(), tuple(_TORCH_MODES), "interpolation", "Resizing")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise InputError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode = one_of(fill_mode, ("constant",), "fill_mode", "Resizing")
        self.fill_value = float(fill_value)
        self.antialias = bool(antialias)
        self.data_format = layout(data_format)

    def _images(self, images: torch.Tensor) -> torch.Tensor:
        size = (self.height, self.width)
        if self.crop_to_aspect_ratio:
            images = crop_to_aspect(images, size)
        elif self.pad_to_aspect_ratio:
            images = _pad_to_aspect(images, size, self.fill_value)
        return resize(images, size, self.interpolation, self.antialias)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self._sized(input_shape, self.height, self.width)


class CenterCrop(ImageLayer):
    """Cut the middle out of images.

    Of an image that is smaller, the largest central window of that shape is cut out and enlarged.

    Args:
        height: height of the outputs, in pixels.
        width: width of the outputs, in pixels.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels) or (height, width, channels), of any dtype; channels before height with
        "channels_first".

    Output shape:
        The same with the new height and width, in float32.

    Raises:
        InputError: impossible values, or inputs that are no images.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = positive_int(height, "height"), positive_int(width, "width")
        self.data_format = layout(data_format)

    def _images(self, images: torch.Tensor) -> torch.Tensor:
        return _center_crop(images, (self.height, self.width))

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self._sized(input_shape, self.height, self.width)


def _center_crop(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut the middle of `size` out of images (N, H, W, C), as a view; of smaller ones the nearest crop, enlarged."""
    top, left = (n - wanted for n, wanted in zip(images.shape[1:3], size, strict=True))
    if top >= 0 and left >= 0:
        top, left = top // 2, left // 2
        return images[:, top : top + size[0], left : left + size[1]]
    return resize(crop_to_aspect(images, size), size, "bilinear")


class Normalization(SameShape):
    """Subtract a mean and divide by a standard deviation that were learned from data.

    outputs = (inputs - mean) / sqrt(variance). `adapt(data)` learns both before training; training does not change
    them.

    Args:
        axis: axis, or axes, along which each place has its own mean and variance: -1, one a channel; None: one for all.
        mean: given instead of learned, with `variance`.
        variance: given instead of learned, with `mean`.
        invert: whether to undo it: inputs·sqrt(variance) + mean.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any, with known sides along `axis`.

    Output shape:
        That of the input, in float32.

    Raises:
        InputError: one of `mean` and `variance` alone, or an axis that the input does not have.
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: float | Sequence[float] | np.ndarray | None = None,
        variance: float | Sequence[float] | np.ndarray | None = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise InputError(
                "When setting values directly, both `mean` and `variance` must be set. "
                f"Received: mean={mean} and variance={variance}"
            )
        self._given = None if mean is None else (np.asarray(mean, "float32"), np.asarray(variance, "float32"))
        self.invert = bool(invert)

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise InputError(f"All `axis` values must be in the range [-ndim, ndim). Received axis={self.axis}")
        self._kept = sorted(axis % rank for axis in self.axis)
        sides = [input_shape[axis] for axis in self._kept]
        if any(n is None for n in sides):
            raise InputError(
                "All `axis` values to be kept must have a known shape. "
                f"Received axis={self.axis}, inputs.shape={tuple(input_shape)}"
            )
        if self._given is not None:
            mean, variance = (torch.from_numpy(np.broadcast_to(value, sides).copy()) for value in self._given)
            self.register_buffer("mean", mean, persistent=False)
            self.register_buffer("variance", variance, persistent=False)
            return
        self.mean = self.add_weight(name="mean", shape=sides, initializer="zeros", trainable=False)
        self.variance = self.add_weight(name="variance", shape=sides, initializer="ones", trainable=False)
        self.count = self.add_weight(name="count", shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        shape = [n if axis in self._kept else 1 for axis, n in enumerate(values.shape)]
        mean, deviation = self.mean.view(shape), self.variance.sqrt().clamp_min(epsilon()).view(shape)
        return values * deviation + mean if self.invert else (values - mean) / deviation

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn mean and variance from data; what was learned before is lost.

        Args:
            data: an array of samples, or a loader or dataset of batches, x or (x, y).
            batch_size: not looked at.
            steps: number of batches to take; None: all.

        Raises:
            InputError: mean and variance were given, or there are no data.
        """
        if self._given is not None:
            raise InputError("Cannot `adapt` a Normalization layer that was given its `mean` and `variance`.")
        count, mean, spread = 0.0, None, None
        for batch in _batches(data, steps):
            values = torch.as_tensor(batch).double()
            if not self.built:
                self._build_once((None, *values.shape[1:]))
            axes = [axis for axis in range(values.ndim) if axis not in self._kept]
            size = values.numel() / max(1, self.mean.numel())
            variance, average = torch.var_mean(values, axes, correction=0) if axes else (torch.zeros(()), values)
            if mean is None or spread is None:
                count, mean, spread = size, average, variance * size
                continue
            shift, total = average - mean, count + size  # Chan's formula for joining two sets
            mean, spread = mean + shift * size / total, spread + variance * size + shift.square() * count * size / total
            count = total
        if mean is None or spread is None:
            raise InputError("adapt() received no data. Expected an array or at least one batch.")
        with torch.no_grad():
            self.mean.copy_(mean)
            self.variance.copy_(spread / count)

    def get_config(self) -> dict[str, Any]:
        config = {**super(StandardLayer, self).get_config(), "axis": list(self.axis), "invert": self.invert}
        if self._given is not None:
            config.update(mean=self._given[0].tolist(), variance=self._given[1].tolist())
        return config


def _batches(data: Any, steps: int | None) -> Iterator[Any]:
    if isinstance(data, np.ndarray | torch.Tensor):
        yield data
        return
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise InputError(f"adapt() expects an array or an iterable of batches; received {type(data).__name__}.")
    limit = steps if steps is not None else len(data) if hasattr(data, "__len__") else None
    for number, batch in enumerate(data):
        if limit is not None and number >= limit:  # directory iterators are endless
            return
        yield batch[0] if isinstance(batch, tuple | list) else batch


__all__ = ["CenterCrop", "Normalization", "Rescaling", "Resizing"]
