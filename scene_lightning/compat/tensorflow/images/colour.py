"""`tf.image`: dtypes, brightness, contrast, hue, saturation and the colour spaces. Channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.images.arguments import picture, require
from scene_lightning.compat.tensorflow.ops.array_ops import cast, saturate_cast
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation


@operation
def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: Any = None) -> Any:
    """Converts between integers over their range and floats over 0..1.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        dtype: the one wanted: a name or a dtype.
        saturate: whether to cut what does not fit, instead of letting it wrap around.
        name: for TensorFlow's sake, without effect.
    """
    tensor, wanted = as_tensor(image), as_dtype(dtype)
    for kind in (tensor.dtype, wanted):
        numeric = isinstance(kind, torch.dtype) and kind != torch.bool
        require(numeric, f"dtype must be either floating point or integer; received {kind}.")
    if tensor.dtype == wanted:
        return tensor
    to = saturate_cast if saturate else cast
    if wanted.is_floating_point:
        floats = tensor.to(wanted)
        return floats if tensor.is_floating_point() else floats * (1 / torch.iinfo(tensor.dtype).max)
    if tensor.is_floating_point():
        return to(tensor * torch.tensor(torch.iinfo(wanted).max + 0.5, dtype=tensor.dtype), wanted)
    most_in, most_out = torch.iinfo(tensor.dtype).max, torch.iinfo(wanted).max
    whole = tensor.to(torch.int64)
    if most_in > most_out:
        return to(whole // ((most_in + 1) // (most_out + 1)), wanted)
    return cast(to(whole, wanted).to(torch.int64) * ((most_out + 1) // (most_in + 1)), wanted)


def _of_floats(images: Any, change: Callable[[torch.Tensor], torch.Tensor], saturate: bool = True) -> torch.Tensor:
    """`change` of the colours as floats (integers as 0..1), brought back to the dtype of `images`."""
    tensor = as_tensor(images)
    floats = tensor if tensor.dtype in (torch.float16, torch.float32) else convert_image_dtype(tensor, torch.float32)
    return convert_image_dtype(change(floats), tensor.dtype, saturate=saturate)


@operation
def adjust_brightness(image: Any, delta: Any) -> Any:
    """Adds a number to every colour.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        delta: what is added; 1 is the whole range.
    """
    return _of_floats(image, lambda x: x + float(delta))


@operation
def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """Multiplies the distance of colours from the mean of their channel.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        contrast_factor: the factor; 1 changes nothing.
    """

    def change(x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((-3, -2), keepdim=True)
        return (x - mean) * float(contrast_factor) + mean

    return _of_floats(picture(images, "images"), change)


@operation
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """Gives gain · x**gamma, for x in 0..1.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        gamma: the exponent, at least 0.
        gain: the factor.
    """
    require(float(gamma) >= 0, f"Gamma should be a non-negative real number; received {gamma}.")
    return _of_floats(image, lambda x: gain * x ** float(gamma))


def _channels(colours: torch.Tensor) -> tuple[torch.Tensor, ...]:
    require(
        colours.ndim > 0 and colours.shape[-1] == 3,
        f"Expected 3 channels (red, green, blue) last; received the shape {tuple(colours.shape)}.",
    )
    return colours.unbind(-1)


def _hue_and_range(colours: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """RGB → hue in 0..1, and each pixel's least and greatest channel."""
    red, green, blue = _channels(colours)
    least, value = colours.amin(-1), colours.amax(-1)
    spread = value - least
    norm = 1 / (6 * torch.where(spread > 0, spread, 1.0))
    hue = torch.where(value == green, norm * (blue - red) + 2 / 6, norm * (red - green) + 4 / 6)
    hue = torch.where(value == red, norm * (green - blue), hue)
    hue = torch.where(spread > 0, hue, 0.0)
    return torch.where(hue < 0, hue + 1, hue), least, value


def _shares(hue: torch.Tensor) -> torch.Tensor:
    """Hue → how far red, green and blue reach from the least channel (0) to the greatest (1)."""
    sixths = hue * 6
    reach = ((sixths - 3).abs() - 1, 2 - (sixths - 2).abs(), 2 - (sixths - 4).abs())
    return torch.stack(reach, -1).clamp(0, 1)


@operation
def rgb_to_hsv(images: Any, name: Any = None) -> Any:
    """Converts red, green, blue to hue, saturation, value.

    Args:
        images: (…, 3), floats in 0..1.
        name: for TensorFlow's sake, without effect.
    """
    hue, least, value = _hue_and_range(_real(images))
    saturation = torch.where(value > 0, (value - least) / torch.where(value > 0, value, 1.0), 0.0)
    return torch.stack([hue, saturation, value], -1)


@operation
def hsv_to_rgb(images: Any, name: Any = None) -> Any:
    """Converts hue, saturation, value to red, green, blue.

    Args:
        images: (…, 3), floats in 0..1.
        name: for TensorFlow's sake, without effect.
    """
    hue, saturation, value = (part.unsqueeze(-1) for part in _channels(_real(images)))
    return (1 - saturation + saturation * _shares(hue.squeeze(-1))) * value


def _real(images: Any) -> torch.Tensor:
    tensor = as_tensor(images)
    require(
        tensor.is_floating_point(),
        f"Expected float colours in 0..1; received {tensor.dtype}. Use tf.image.convert_image_dtype.",
    )
    return tensor


@operation
def adjust_saturation(image: Any, saturation_factor: Any, name: Any = None) -> Any:
    """Multiplies the saturation of HSV, and keeps it within 0..1.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        saturation_factor: the factor; 1 changes nothing.
        name: for TensorFlow's sake, without effect.
    """

    def change(x: torch.Tensor) -> torch.Tensor:
        hue, saturation, value = rgb_to_hsv(x).unbind(-1)
        return hsv_to_rgb(torch.stack([hue, (saturation * float(saturation_factor)).clamp(0, 1), value], -1))

    return _of_floats(picture(image), change, saturate=False)


@operation
def adjust_hue(image: Any, delta: Any, name: Any = None) -> Any:
    """Turns the hue.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        delta: the angle, in [-1, 1]; 1 is a full turn.
        name: for TensorFlow's sake, without effect.
    """
    require(-1 <= float(delta) <= 1, f"delta must be in the interval [-1, 1]; received {delta}.")

    def change(x: torch.Tensor) -> torch.Tensor:
        hue, least, value = _hue_and_range(x)
        return least.unsqueeze(-1) + (value - least).unsqueeze(-1) * _shares((hue + float(delta)) % 1)

    return _of_floats(picture(image), change, saturate=False)


@operation
def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """Gives the brightness of colours: (…, 3) → (…, 1).

    Args:
        images: (…, 3), of any dtype.
        name: for TensorFlow's sake, without effect.
    """
    tensor = as_tensor(images)
    _channels(tensor)
    floats = convert_image_dtype(tensor, torch.float32)
    grey = (floats * torch.tensor([0.2989, 0.587, 0.114], device=floats.device)).sum(-1, keepdim=True)
    return convert_image_dtype(grey, tensor.dtype)


@operation
def grayscale_to_rgb(images: Any, name: Any = None) -> Any:
    """Repeats grey three times: (…, 1) → (…, 3).

    Args:
        images: (…, 1).
        name: for TensorFlow's sake, without effect.
    """
    tensor = as_tensor(images)
    require(
        tensor.ndim > 1 and tensor.shape[-1] == 1,
        f"Last dimension of a grayscale image should be size 1; received the shape {tuple(tensor.shape)}.",
    )
    return tensor.repeat(*[1] * (tensor.ndim - 1), 3)


_Matrix = list[list[float]]
_YUV: _Matrix = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]
_YUV_BACK: _Matrix = [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]]
_YIQ: _Matrix = [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]]
_YIQ_BACK: _Matrix = [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]]


def _by_matrix(matrix: _Matrix, doc: str) -> Callable[..., Any]:
    def call(images: Any) -> Any:
        colours = _real(images)
        _channels(colours)
        return colours @ torch.tensor(matrix, dtype=colours.dtype, device=colours.device)

    call.__doc__ = doc
    return operation(call)


rgb_to_yuv = _by_matrix(_YUV, "Brightness and two differences of colour (PAL).")
yuv_to_rgb = _by_matrix(_YUV_BACK, "The reverse of `rgb_to_yuv`.")
rgb_to_yiq = _by_matrix(_YIQ, "Brightness and two differences of colour (NTSC).")
yiq_to_rgb = _by_matrix(_YIQ_BACK, "The reverse of `rgb_to_yiq`.")


@operation
def per_image_standardization(image: Any) -> Any:
    """Brings each image to mean 0 and deviation 1 (the deviation counts as at least 1/√values).

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
    """
    values = picture(image).float()
    axes = (-3, -2, -1)
    count = values.shape[-1] * values.shape[-2] * values.shape[-3]
    deviation = values.std(axes, correction=0, keepdim=True).clamp(min=count**-0.5)
    return (values - values.mean(axes, keepdim=True)) / deviation
