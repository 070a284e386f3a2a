"""Changes the brightness, contrast and saturation of batches of images, and shifts their channels."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_channels(x: Tensor, intensity: Tensor) -> Tensor:
    """Add grey levels, clipped to what each image (N, C, H, W) held before. Keras: `apply_channel_shift`.

    Args:
        x: float grey levels.
        intensity: (N, 1, 1, 1) grey levels.
    """
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return torch.minimum(torch.maximum(x + intensity, low), high)


def change_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Move each image (N, C, H, W) away from its mean grey, or towards it; clipped to 0..255.

    Args:
        x: float grey levels of 0..255.
        factor: (N, 1, 1, 1); above 1 for more contrast.
    """
    mean = _grey(x).mean((2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(x), x, factor.expand_as(x)).clamp_(0, 255)


def change_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Move each pixel of (N, C, H, W) away from its own grey, or towards it; clipped to 0..255. Grey images stay.

    Args:
        x: float grey levels of 0..255.
        factor: (N, 1, 1, 1); 0 gives grey images.
    """
    if x.shape[1] < 3:
        return x
    return torch.lerp(_grey(x).expand_as(x), x, factor.expand_as(x)).clamp_(0, 255)


def _grey(x: Tensor) -> Tensor:
    """(N, 1, H, W): the luma of ITU-R BT.601, as PIL has it."""
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3] if x.shape[1] >= 3 else x[:, :1]


def change_brightness(x: Tensor, factor: Tensor, stretch: bool = False, slack: float = 0.0) -> Tensor:
    """Multiply each image (N, C, H, W), in whole grey levels as PIL does it. Keras: `apply_brightness_shift`.

    An image with values outside 0..255 is stretched to 0..255 and back. A fourth channel (alpha) keeps its value.

    Args:
        x: float grey levels.
        factor: (N, 1, 1, 1).
        stretch: whether every image is stretched to 0..255 first and stays there, as Keras did up to 2.8.
        slack: how far sampling may have missed a whole level, in grey levels.
    """
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    beyond = (low < -slack) | (high > 255 + slack)
    if x.device.type == "cpu" and not stretch and not beyond.any():  # a GPU would wait for the answer
        return _scale_levels(x.add(slack), factor)
    stretched = x - low
    stretched = stretched / torch.where(high == low, torch.ones_like(high), high - low) * 255
    result = _scale_levels(torch.where(beyond | stretch, stretched, x) + slack, factor)
    return result if stretch else torch.where(beyond, result / 255 * (high - low) + low, result)


def _scale_levels(x: Tensor, factor: Tensor) -> Tensor:
    """Grey levels, cut to whole ones in place, times their image's factor; cut again. Alpha keeps its value."""
    levels = x.floor_().clamp_(0, 255)
    result = (levels * factor).floor_().clamp_(0, 255)
    return torch.cat((result[:, :3], levels[:, 3:]), dim=1) if x.shape[1] == 4 else result
