"""Computes a photograph's way into the network (colours, fit, resize, rescale) as a torch module that can be exported.

The resize is PIL's in every bit, on photographs of any size: `nearest` picks the same pixels, the filters are matrices
of PIL's 22-bit coefficients. Source: Pillow's `src/libImaging/Resample.c` and `Geometry.c`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scene_lightning.data.image_info import ImageInfo

_WHOLE = float(2**22)  # PIL's fixed-point coefficients: this is 1
_LUMA = (19595, 38470, 7471)  # ITU-R 601-2 as PIL has it, in 65536ths


@dataclass(frozen=True)
class _Filter:
    """A resampling filter: how far it reaches, and its weight at a distance, in source pixels at full size."""

    support: float
    weight: Callable[[Tensor], Tensor]


def _bilinear(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp_min(0.0)


def _box(x: Tensor) -> Tensor:
    return ((x > -0.5) & (x <= 0.5)).to(x.dtype)


def _sinc(x: Tensor) -> Tensor:
    at_zero = x == 0
    angle = torch.where(at_zero, 1.0, x * math.pi)
    return torch.where(at_zero, 1.0, angle.sin() / angle)


def _hamming(x: Tensor) -> Tensor:
    window = 0.54 + 0.46 * (x * math.pi + math.pi / 2).sin()
    return torch.where(x.abs() < 1, _sinc(x) * window, 0.0)


def _bicubic(x: Tensor) -> Tensor:
    a, x = -0.5, x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _lanczos(x: Tensor) -> Tensor:
    return torch.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


_FILTERS = {
    "bilinear": _Filter(1.0, _bilinear),
    "bicubic": _Filter(2.0, _bicubic),
    "hamming": _Filter(1.0, _hamming),
    "box": _Filter(0.5, _box),
    "lanczos": _Filter(3.0, _lanczos),
}


@dataclass(frozen=True)
class _Axis:
    """How one axis of a photograph becomes one of the network's images; all but `target` are float64 scalars.

    Attributes:
        size: pixels of the photograph.
        start, length: the part of it that is shown.
        target: pixels of the network's image.
        offset, inner: where in it the photograph lies, and how many pixels it fills.
    """

    size: Tensor
    start: Tensor
    length: Tensor
    target: int
    offset: Tensor
    inner: Tensor

    def places(self) -> Tensor:
        """(target,) the pixels' numbers, counted from the photograph's first."""
        return torch.arange(self.target, dtype=torch.float64) - self.offset

    def filled(self) -> Tensor:
        """(target,) which pixels show the photograph; the others are border."""
        places = self.places()
        return (places >= 0) & (places < self.inner)

    def nearest(self) -> Tensor:
        """(target,) the source pixel that each target pixel shows. PIL adds up its steps: so do we, ties included."""
        step = self.length / self.inner
        first = self.start + step * 0.5
        steps = torch.where(torch.arange(self.target) == 0, first, step)
        sources = steps.cumsum(0).floor()
        sources = torch.minimum(sources, self.size - 1).to(torch.int64)
        return sources[self.places().clamp(0, self.target - 1).to(torch.int64)]

    def coefficients(self, kind: _Filter, positions: Tensor) -> Tensor:
        """(target, size) PIL's coefficients, whole numbers; rows of the border are 0.

        Args:
            kind: the filter.
            positions: (size,) 0, 1, 2, …
        """
        scale = self.length / self.inner
        stretch = scale.clamp_min(1.0)
        reach = kind.support * stretch
        centres = (self.start + (self.places() + 0.5) * scale)[:, None]
        first = (centres - reach + 0.5).trunc().clamp_min(0.0)
        end = torch.minimum((centres + reach + 0.5).trunc(), self.size)
        weights = kind.weight((positions - centres + 0.5) * (1.0 / stretch))
        weights = torch.where((positions >= first) & (positions < end), weights, 0.0)
        total = weights.sum(1, keepdim=True)
        shares = weights / torch.where(total == 0, 1.0, total)
        rounded = (shares.abs() * _WHOLE + 0.5).floor() * shares.sign()
        return torch.where(self.filled()[:, None], rounded, 0.0)


class Preprocessing(torch.nn.Module):
    """Turns uint8 photographs of one size, (batch, height, width, channels), into what a network was trained on.

    Channels are 3, of which `color_mode` "grayscale" makes 1, or 4 for "rgba".

    Args:
        info: how the network wants its images.
    """

    def __init__(self, info: ImageInfo) -> None:
        super().__init__()
        self.info = info

    def forward(self, images: Tensor) -> Tensor:
        """(N, H, W, 3 or 4) uint8 → (N, h, w, c) float32."""
        if self.info.color_mode == "grayscale":
            images = _grey(images)
        rows = torch.arange(images.shape[1], dtype=torch.float64)
        columns = torch.arange(images.shape[2], dtype=torch.float64)
        vertical, horizontal = self._axes(rows.amax(0) + 1, columns.amax(0) + 1)
        if self.info.interpolation == "nearest":
            pixels = _picked(images, vertical, horizontal)
            if self.info.fit == "pad":
                pixels = pixels * _shows_photograph(vertical, horizontal).float()
        else:
            kind = _FILTERS[self.info.interpolation]
            pixels = _filtered(images, vertical.coefficients(kind, rows), horizontal.coefficients(kind, columns))
            if self.info.color_mode == "rgba":  # of the right size already, PIL leaves colours under opacity alone
                same = (vertical.size == vertical.target) & (horizontal.size == horizontal.target)
                pixels = torch.where(same, _picked(images, vertical, horizontal), pixels)
        if self.info.fit == "pad" and self.info.color_mode == "rgba":  # the border is black, not transparent
            opaque = torch.tensor([0.0, 0.0, 0.0, 255.0])
            pixels = torch.where(_shows_photograph(vertical, horizontal), pixels, opaque)
        return pixels * self.info.rescale if self.info.rescale else pixels

    def _axes(self, height: Tensor, width: Tensor) -> tuple[_Axis, _Axis]:
        """The two axes of a photograph of (height, width), as the loader's fit has them."""
        target_height, target_width = self.info.input_size
        zero = torch.zeros((), dtype=torch.float64)
        shown_height, shown_width = height, width
        inner_height, inner_width = zero + target_height, zero + target_width
        if self.info.fit == "crop":
            shown_height = torch.minimum(height, (width * target_height / target_width).floor())
            shown_width = torch.minimum(width, (height * target_width / target_height).floor())
        elif self.info.fit == "pad":
            scale = torch.minimum(target_width / width, target_height / height)
            inner_height, inner_width = (height * scale).round().clamp_min(1), (width * scale).round().clamp_min(1)
        return (
            _Axis(
                height, ((height - shown_height) / 2).floor(), shown_height,
                target_height, ((target_height - inner_height) / 2).floor(), inner_height,
            ),
            _Axis(
                width, ((width - shown_width) / 2).floor(), shown_width,
                target_width, ((target_width - inner_width) / 2).floor(), inner_width,
            ),
        )  # fmt: skip


def _shows_photograph(vertical: _Axis, horizontal: _Axis) -> Tensor:
    """(h, w, 1): whether a pixel shows the photograph."""
    return (vertical.filled()[:, None] & horizontal.filled()[None, :])[:, :, None]


def _picked(images: Tensor, vertical: _Axis, horizontal: _Axis) -> Tensor:
    """(N, h, w, C) float32: each pixel one of the photograph's."""
    return images.index_select(1, vertical.nearest()).index_select(2, horizontal.nearest()).float()


def _grey(images: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 → (N, H, W, 1) uint8, as PIL's `convert("L")`: of three equal values it is that value."""
    wide = images.to(torch.int32)
    luma = sum(wide[..., channel] * factor for channel, factor in enumerate(_LUMA))
    return torch.div(luma + 0x8000, 65536, rounding_mode="trunc").to(torch.uint8)[..., None]


def _filtered(images: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """(N, H, W, C) uint8 → (N, h, w, C) float32 grey levels; columns first, with whole grey levels between, as PIL.

    Float64 holds the products exactly: 8 bits times 22, some thousand of them.
    """
    planes = images.permute(0, 3, 1, 2).to(torch.float64)
    if images.shape[3] == 4:
        planes = _premultiplied(planes)
    planes = _grey_levels(planes @ horizontal.T)
    planes = _grey_levels(vertical @ planes)
    if images.shape[3] == 4:
        planes = _unmultiplied(planes)
    return planes.permute(0, 2, 3, 1).float()


def _grey_levels(sums: Tensor) -> Tensor:
    return ((sums / _WHOLE) + 0.5).floor().clamp(0.0, 255.0)


def _premultiplied(planes: Tensor) -> Tensor:
    """(N, 4, H, W): PIL filters colours times opacity ("RGBa"), rounded as its MULDIV255."""
    alpha = planes[:, 3:]
    product = planes[:, :3] * alpha + 128
    return torch.cat([((product / 256).floor() + product).div(256).floor(), alpha], 1)


def _unmultiplied(planes: Tensor) -> Tensor:
    alpha = planes[:, 3:]
    whole = (alpha == 0) | (alpha == 255)
    colours = (255 * planes[:, :3] / torch.where(alpha == 0, 1.0, alpha)).floor().clamp(0.0, 255.0)
    return torch.cat([torch.where(whole, planes[:, :3], colours), alpha], 1)
