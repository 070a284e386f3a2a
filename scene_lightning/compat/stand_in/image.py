"""`tf.image` on (H, W, C) and (N, H, W, C) tensors: resizing, cropping, flips, colours, decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchvision.transforms.functional as tvf

from scene_lightning.compat.stand_in import io
from scene_lightning.compat.stand_in.array_ops import saturate_cast
from scene_lightning.compat.stand_in.dtypes import as_dtype
from scene_lightning.compat.stand_in.operation import as_tensor, operation
from scene_lightning.errors import InputError
from scene_lightning.utils import resize as resizing

decode_image, decode_jpeg, decode_png, decode_bmp, decode_gif = (
    io.decode_image, io.decode_jpeg, io.decode_png, io.decode_bmp, io.decode_gif,
)  # fmt: skip
encode_jpeg, encode_png = io.encode_jpeg, io.encode_png


class ResizeMethod:
    """The names of the interpolations. TensorFlow: `tf.image.ResizeMethod`."""

    AREA, BICUBIC, BILINEAR, GAUSSIAN = "area", "bicubic", "bilinear", "gaussian"
    LANCZOS3, LANCZOS5, MITCHELLCUBIC, NEAREST_NEIGHBOR = "lanczos3", "lanczos5", "mitchellcubic", "nearest"


_OLD_METHODS = {0: "bilinear", 1: "nearest", 2: "bicubic", 3: "area"}


def _each(function: Callable[[torch.Tensor], torch.Tensor], images: Any) -> torch.Tensor:
    """`function` of one (H, W, C) image, or of each of a batch."""
    tensor = as_tensor(images)
    if tensor.ndim not in (3, 4):
        raise InputError(f"'images' must have either 3 or 4 dimensions; received the shape {tuple(tensor.shape)}.")
    return function(tensor) if tensor.ndim == 3 else torch.stack([function(image) for image in tensor])


def _pair(size: Any) -> tuple[int, int]:
    height, width = size.tolist() if isinstance(size, torch.Tensor) else size
    return int(height), int(width)


@operation
def resize(
    images: Any,
    size: Any,
    method: Any = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> Any:
    """Images at `size` (height, width): float32, except with "nearest", which keeps the dtype."""
    method = _OLD_METHODS.get(method, method)
    height, width = _pair(size)

    def one(image: torch.Tensor) -> torch.Tensor:
        target = (height, width)
        if preserve_aspect_ratio:
            scale = min(height / image.shape[0], width / image.shape[1])
            target = (round(image.shape[0] * scale), round(image.shape[1] * scale))
        if antialias and method in ("bilinear", "bicubic"):
            mode = {"bilinear": tvf.InterpolationMode.BILINEAR, "bicubic": tvf.InterpolationMode.BICUBIC}[method]
            planes = image.float().permute(2, 0, 1)
            return tvf.resize(planes, list(target), mode, antialias=True).permute(1, 2, 0).contiguous()
        resized = resizing.resize_image(image, target, method)
        return resized.to(image.dtype) if method == "nearest" else resized

    return _each(one, images)


@operation
def resize_with_pad(
    image: Any, target_height: int, target_width: int, method: Any = "bilinear", antialias: bool = False
) -> Any:
    """Resized to fit, on a black ground."""
    size = (int(target_height), int(target_width))
    return _each(lambda one: resizing.resize_with_pad(one, size, _OLD_METHODS.get(method, method)), image)


@operation
def resize_with_crop_or_pad(image: Any, target_height: int, target_width: int) -> Any:
    """Cut or padded with zeros around the centre, without resizing."""

    def one(picture: torch.Tensor) -> torch.Tensor:
        planes = picture.permute(2, 0, 1)
        return tvf.center_crop(planes, [int(target_height), int(target_width)]).permute(1, 2, 0).contiguous()

    return _each(one, image)


@operation
def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle part, with this fraction of each side."""

    def one(picture: torch.Tensor) -> torch.Tensor:
        top, left = (int((side - side * central_fraction) / 2) for side in picture.shape[:2])
        return picture[top : picture.shape[0] - top, left : picture.shape[1] - left]

    return _each(one, image)


@operation
def crop_to_bounding_box(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    """The part at this place."""
    rows = slice(int(offset_height), int(offset_height) + int(target_height))
    columns = slice(int(offset_width), int(offset_width) + int(target_width))
    return as_tensor(image)[..., rows, columns, :]


@operation
def pad_to_bounding_box(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    """The image at this place of a black ground."""
    tensor = as_tensor(image)
    sides = (*tensor.shape[:-3], int(target_height), int(target_width), tensor.shape[-1])
    canvas = torch.zeros(sides, dtype=tensor.dtype)
    height, width = tensor.shape[-3:-1]
    canvas[..., offset_height : offset_height + height, offset_width : offset_width + width, :] = tensor
    return canvas


def random_crop(value: Any, size: Any, seed: Any = None, name: Any = None) -> Any:
    """A part of this size, at a random place."""
    tensor = as_tensor(value)
    starts = [int(torch.randint(side - int(part) + 1, ())) for side, part in zip(tensor.shape, size, strict=True)]
    return tensor[tuple(slice(start, start + int(part)) for start, part in zip(starts, size, strict=True))]


@operation
def flip_left_right(image: Any) -> Any:
    """Mirrored."""
    return torch.flip(as_tensor(image), (-2,))


@operation
def flip_up_down(image: Any) -> Any:
    """Upside down."""
    return torch.flip(as_tensor(image), (-3,))


@operation
def rot90(image: Any, k: Any = 1, name: Any = None) -> Any:
    """Turned counter-clockwise by k right angles."""
    return torch.rot90(as_tensor(image), int(k), (-3, -2))


@operation
def transpose(image: Any, name: Any = None) -> Any:
    """Rows and columns exchanged."""
    return as_tensor(image).transpose(-3, -2)


def _randomly(function: Callable[[Any], Any], doc: str) -> Callable[..., Any]:
    def call(image: Any, seed: Any = None) -> Any:
        return _each(lambda one: function(one) if torch.rand(()) < 0.5 else one, image)

    call.__doc__ = doc
    return call


random_flip_left_right = _randomly(flip_left_right, "Mirrored with probability one half.")
random_flip_up_down = _randomly(flip_up_down, "Upside down with probability one half.")


@operation
def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: Any = None) -> Any:
    """Between integers over their range and floats over 0..1."""
    tensor, wanted = as_tensor(image), as_dtype(dtype)
    if tensor.dtype == wanted:
        return tensor
    if tensor.is_floating_point():
        if wanted.is_floating_point:
            return tensor.to(wanted)
        return saturate_cast(tensor * (torch.iinfo(wanted).max + 0.5), wanted)
    if wanted.is_floating_point:
        return tensor.to(wanted) / torch.iinfo(tensor.dtype).max
    return (tensor.double() * ((torch.iinfo(wanted).max + 1) / (torch.iinfo(tensor.dtype).max + 1))).to(wanted)


def _as_float(function: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    """A change of float colours in 0..1 that takes integer images too."""

    @operation
    def call(image: Any, amount: Any, *rest: Any, **kwargs: Any) -> Any:
        tensor = as_tensor(image)
        changed = function(convert_image_dtype(tensor, torch.float32), float(amount), *rest, **kwargs)
        return convert_image_dtype(changed, tensor.dtype, saturate=True)

    call.__doc__ = function.__doc__
    return call


@_as_float
def adjust_brightness(image: torch.Tensor, delta: float, name: Any = None) -> torch.Tensor:
    """`delta` added (1 is the whole range)."""
    return image + delta


@operation
def adjust_contrast(images: Any, contrast_factor: Any, name: Any = None) -> Any:
    """The distance from each channel's mean multiplied."""
    tensor = as_tensor(images)
    values = convert_image_dtype(tensor, torch.float32)
    mean = values.mean((-3, -2), keepdim=True)
    return convert_image_dtype((values - mean) * float(contrast_factor) + mean, tensor.dtype)


def _by_torchvision(function: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    def change(image: torch.Tensor, amount: float, name: Any = None) -> torch.Tensor:
        return function(image.movedim(-1, -3).clamp(0, 1), amount).movedim(-3, -1)

    change.__doc__ = function.__doc__
    return _as_float(change)


adjust_saturation = _by_torchvision(tvf.adjust_saturation)
_shift_hue = _by_torchvision(lambda planes, delta: tvf.adjust_hue(planes, (delta + 0.5) % 1 - 0.5))


def adjust_hue(image: Any, delta: Any, name: Any = None) -> Any:
    """The hue turned by `delta` (1 is a full turn)."""
    return _shift_hue(image, delta)


def adjust_gamma(image: Any, gamma: float = 1, gain: float = 1) -> Any:
    """gain · x**gamma, for x in 0..1."""
    tensor = as_tensor(image)
    return convert_image_dtype(gain * convert_image_dtype(tensor, torch.float32) ** gamma, tensor.dtype)


def _between(low: float, high: float) -> float:
    return float(torch.empty(()).uniform_(low, high))


def random_brightness(image: Any, max_delta: float, seed: Any = None) -> Any:
    """Brightness changed by up to `max_delta`."""
    return adjust_brightness(image, _between(-max_delta, max_delta))


def random_contrast(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    """Contrast multiplied by a random factor."""
    return adjust_contrast(image, _between(lower, upper))


def random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    """Saturation multiplied by a random factor."""
    return adjust_saturation(image, _between(lower, upper))


def random_hue(image: Any, max_delta: float, seed: Any = None) -> Any:
    """The hue turned by up to `max_delta`."""
    return adjust_hue(image, _between(-max_delta, max_delta))


@operation
def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """(…, 3) → (…, 1)."""
    tensor = as_tensor(images)
    grey = (convert_image_dtype(tensor, torch.float32) * torch.tensor([0.2989, 0.587, 0.114])).sum(-1, keepdim=True)
    return convert_image_dtype(grey, tensor.dtype)


@operation
def grayscale_to_rgb(images: Any, name: Any = None) -> Any:
    """(…, 1) → (…, 3)."""
    tensor = as_tensor(images)
    return tensor.repeat(*[1] * (tensor.ndim - 1), 3)


@operation
def per_image_standardization(image: Any) -> Any:
    """Mean 0 and deviation 1 for each image (the deviation at least 1/√pixels)."""
    values = as_tensor(image).float()
    axes = (-3, -2, -1)
    count = values.shape[-1] * values.shape[-2] * values.shape[-3]
    deviation = values.std(axes, correction=0, keepdim=True).clamp(min=count**-0.5)
    return (values - values.mean(axes, keepdim=True)) / deviation


resize_images = resize
resize_image_with_crop_or_pad = resize_with_crop_or_pad

__all__ = [
    "ResizeMethod", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "central_crop", "convert_image_dtype", "crop_to_bounding_box", "decode_bmp", "decode_gif", "decode_image",
    "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "flip_left_right", "flip_up_down", "grayscale_to_rgb",
    "pad_to_bounding_box", "per_image_standardization", "random_brightness", "random_contrast", "random_crop",
    "random_flip_left_right", "random_flip_up_down", "random_hue", "random_saturation", "resize",
    "resize_image_with_crop_or_pad", "resize_images", "resize_with_crop_or_pad", "resize_with_pad",
    "rgb_to_grayscale", "rot90", "transpose",
]  # fmt: skip
