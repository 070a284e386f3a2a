"""Augments whole batches of images as Keras' ImageDataGenerator augments one image.

Drawing and applying are apart: `AugmentRanges.draw` (or `KerasAffine.make_params`) draws, `apply_affine` applies. Images
hold grey levels of 0..255 here; rescaling comes after (standardize.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from scene_lightning.data.geometry import View, affine_matrices, check_variant, fold_flips
from scene_lightning.data.randomness import uniforms
from scene_lightning.data.sampling import check_fill_mode, sample, sample_exactly, sample_spline

Floats = NDArray[np.float64]
# grid_sample may give 254.99998 where the image is flat and white: that must not become 254, nor 255.00002 be taken
# for an image that leaves 0..255.
_SLACK = 1e-3
_DRAWS = 14  # uniform numbers an image uses, whatever is switched on: a new option does not move the others


@dataclass  # not frozen: Lightning copies batches field by field where it converts them to a precision
class AffineParams:
    """What happens to each of N images; every field is (N,), or None where nothing of the kind happens.

    Attributes:
        theta, shear: degrees; theta above 0 turns the content counter-clockwise.
        tx, ty: pixels, output → input.
        zx, zy: factors for columns and rows; below 1 magnifies.
        flip_h, flip_v: mirrored left to right, top to bottom.
        channel_shift: grey levels added. brightness: factor.
        contrast: factor of the distance to the image's mean; saturation: to the pixel's own grey.
    """

    theta: Floats
    tx: Floats
    ty: Floats
    shear: Floats
    zx: Floats
    zy: Floats
    flip_h: NDArray[np.bool_]
    flip_v: NDArray[np.bool_]
    channel_shift: Floats | None = None
    brightness: Floats | None = None
    contrast: Floats | None = None
    saturation: Floats | None = None

    def __len__(self) -> int:
        return len(self.theta)

    def moves(self) -> NDArray[np.bool_]:
        """(N,) whether an image's affine differs from the identity (flips aside)."""
        still = (self.theta == 0) & (self.tx == 0) & (self.ty == 0) & (self.shear == 0)
        return ~(still & (self.zx == 1) & (self.zy == 1))

    def matrices(self, height: int, width: int, variant: str = "keras>=2.9") -> Floats:
        """(N, 2, 3) output → input, the flips included."""
        affine = affine_matrices(self.theta, self.tx, self.ty, self.shear, self.zx, self.zy, height, width, variant)
        return fold_flips(affine, self.flip_h, self.flip_v, height, width)

    @classmethod
    def of(cls, transforms: Sequence[dict[str, Any]]) -> AffineParams:
        """From Keras' `get_random_transform` dicts, one an image."""

        def column(key: str, default: float) -> Floats:
            return np.array([t.get(key, default) for t in transforms], dtype=np.float64)

        def optional(key: str) -> Floats | None:
            values = [t.get(key) for t in transforms]
            return None if all(v is None for v in values) else np.array(values, dtype=np.float64)

        return cls(
            theta=column("theta", 0),
            tx=column("tx", 0),
            ty=column("ty", 0),
            shear=column("shear", 0),
            zx=column("zx", 1),
            zy=column("zy", 1),
            flip_h=column("flip_horizontal", 0) != 0,
            flip_v=column("flip_vertical", 0) != 0,
            channel_shift=optional("channel_shift_intensity"),
            brightness=optional("brightness"),
        )


@dataclass(frozen=True)
class AugmentRanges:
    """From where each parameter is drawn: the arguments of Keras' ImageDataGenerator, with its defaults and units.

    `zoom_range` is the pair (low, high) here. Beyond Keras: `contrast_range` and `saturation_range`, c for a factor
    between 1 - c and 1 + c. Contrast is the distance from the image's mean grey, saturation each pixel's from its own
    grey, as PIL and torchvision's ColorJitter have them; `tf.image.adjust_saturation` multiplies the S of HSV.
    """

    rotation_range: float = 0.0
    width_shift_range: Any = 0.0
    height_shift_range: Any = 0.0
    shear_range: float = 0.0
    zoom_range: tuple[float, float] = (1.0, 1.0)
    channel_shift_range: float = 0.0
    brightness_range: tuple[float, float] | None = None
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill_mode: str = "nearest"
    cval: float = 0.0
    order: int = 1
    contrast_range: float = 0.0
    saturation_range: float = 0.0
    variant: str = "keras>=2.9"

    def __post_init__(self) -> None:
        check_fill_mode(self.fill_mode)
        check_variant(self.variant)

    def draw(self, seed: int, epoch: int, indices: NDArray[np.int64], height: int, width: int) -> AffineParams:
        """Parameters of the images `indices` in `epoch`: a pure function of its arguments."""
        return self.from_uniforms(uniforms(seed, epoch, indices, _DRAWS), height, width)

    def from_uniforms(self, u: Floats, height: int, width: int) -> AffineParams:
        """(N, 14) numbers in [0, 1) → parameters, with the distributions of Keras' `get_random_transform`."""
        low, high = self.zoom_range
        return AffineParams(
            theta=_symmetric(u[:, 0], self.rotation_range),
            tx=_shift(u[:, 1], u[:, 2], self.height_shift_range, height),
            ty=_shift(u[:, 3], u[:, 4], self.width_shift_range, width),
            shear=_symmetric(u[:, 5], self.shear_range),
            zx=low + (high - low) * u[:, 6],
            zy=low + (high - low) * u[:, 7],
            flip_h=(u[:, 8] < 0.5) & self.horizontal_flip,
            flip_v=(u[:, 9] < 0.5) & self.vertical_flip,
            channel_shift=_symmetric(u[:, 10], self.channel_shift_range) if self.channel_shift_range else None,
            brightness=None
            if self.brightness_range is None
            else self.brightness_range[0] + (self.brightness_range[1] - self.brightness_range[0]) * u[:, 11],
            contrast=1 + _symmetric(u[:, 12], self.contrast_range) if self.contrast_range else None,
            saturation=1 + _symmetric(u[:, 13], self.saturation_range) if self.saturation_range else None,
        )

    def apply(self, images: Tensor, params: AffineParams, view: View | None = None) -> Tensor:
        """(N, H, W, C) float32 → the same, augmented; with a view, in its size."""
        return apply_affine(images, params, self.fill_mode, self.cval, self.variant, order=self.order, view=view)

    def is_identity(self) -> bool:
        """Whether no image is ever changed."""
        ranges = (self.rotation_range, self.width_shift_range, self.height_shift_range, self.shear_range)
        return not (
            any(np.any(r) for r in ranges)
            or tuple(self.zoom_range) != (1, 1)
            or self.channel_shift_range
            or self.brightness_range is not None
            or self.contrast_range
            or self.saturation_range
            or self.horizontal_flip
            or self.vertical_flip
        )


def _symmetric(u: Floats, limit: float) -> Floats:
    """Uniform in [-limit, limit); exact zeros, not -0·u, when there is no limit."""
    return (2 * u - 1) * limit if limit else np.zeros_like(u)


def _shift(u: Floats, sign: Floats, limit: Any, size: int) -> Floats:
    """Keras' shifts, in pixels: a float is a range, an int or a list holds the choices; below 1 a share of `size`."""
    if not np.any(limit):
        return np.zeros_like(u)
    if np.ndim(limit) == 0 and not (isinstance(limit, int | np.integer) and limit > 0):
        shift = _symmetric(u, float(limit))
    else:
        choices = np.arange(limit) if np.ndim(limit) == 0 else np.asarray(limit, dtype=np.float64)
        shift = choices[(u * len(choices)).astype(np.int64)] * np.where(sign < 0.5, -1.0, 1.0)
    return shift * size if np.max(limit) < 1 else shift


def apply_affine(
    images: Tensor,
    params: AffineParams,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    variant: str = "keras>=2.9",
    *,
    order: int = 1,
    channels_last: bool = True,
    exact: bool = False,
    view: View | None = None,
) -> Tensor:
    """A whole batch through Keras' `apply_transform`: affine, channel shift, flips, brightness.

    Args:
        images: (N, H, W, C), or (N, C, H, W) with `channels_last=False`; uint8 or float32 grey levels of 0..255, on
            any device.
        params: one set an image.
        fill_mode, cval, order: as in Keras; an order above 1 (splines) needs SciPy and runs on the host.
        variant: see `geometry.affine_matrices`; "keras<=2.8" also stretches to 0..255 before changing brightness.
        view: the result's part and size of the images, read from them at once (by `sample`, whatever `order` and
            `exact` say).
        exact: gather in float64 instead of `grid_sample`: within 0.0001 grey levels of Keras instead of 0.005.

    Returns:
        float32, shaped as `images`, or as the view; without one, an image whose parameters are the identity comes back
        bit for bit.
    """
    check_fill_mode(fill_mode)
    x = images.permute(0, 3, 1, 2) if channels_last else images
    if not x.is_floating_point():  # one pass: to float32 and to planes, which is what sampling reads
        x = x.to(torch.float32, memory_format=torch.contiguous_format)
    x = _geometry(x, params, fill_mode, cval, variant, order, exact, view)
    if params.channel_shift is not None:
        x = shift_channels(x, _per_image(params.channel_shift, x))
    if params.brightness is not None:
        sampled = view is not None or params.moves().any()
        slack = _SLACK if sampled and not exact else 0.0
        x = change_brightness(x, _per_image(params.brightness, x), stretch=variant == "keras<=2.8", slack=slack)
    if params.contrast is not None:
        x = change_contrast(x, _per_image(params.contrast, x))
    if params.saturation is not None:
        x = change_saturation(x, _per_image(params.saturation, x))
    # NHWC is what the layers want in memory, too.
    return x.permute(0, 2, 3, 1).contiguous() if channels_last else x


def _per_image(values: Floats, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype).to(like.device, non_blocking=True).view(-1, 1, 1, 1)


def _geometry(
    x: Tensor,
    params: AffineParams,
    fill_mode: str,
    cval: float,
    variant: str,
    order: int,
    exact: bool,
    view: View | None,
) -> Tensor:
    moves = params.moves()
    if moves.any() or view is not None:
        # MPS has no float64; there the coordinates cost 0.002 grey levels more.
        kind = torch.float32 if x.device.type == "mps" else torch.float64
        height, width = x.shape[-2:]
        plan = params.matrices(height, width, variant)
        plan = plan if view is None else view.of(plan)
        matrices = torch.as_tensor(plan, dtype=kind).to(x.device, non_blocking=True)
        if view is not None:
            return sample(x, matrices, fill_mode, cval, view.size)
        if order > 1:
            moved = sample_spline(x, plan, fill_mode, cval, order)
        elif order == 1 and not exact:
            moved = sample(x, matrices, fill_mode, cval)
        else:
            moved = sample_exactly(x, matrices, fill_mode, cval, order)
        if moves.all():
            return moved
        return torch.where(_mask(moves, x), moved, _flip(x, params))
    return _flip(x, params)


def _mask(values: NDArray[np.bool_], like: Tensor) -> Tensor:
    return torch.as_tensor(values).to(like.device, non_blocking=True).view(-1, 1, 1, 1)


def _flip(x: Tensor, params: AffineParams) -> Tensor:
    """Mirrored by moving pixels, without interpolation: exact."""
    for flips, axis in ((params.flip_h, 3), (params.flip_v, 2)):
        if flips.all() and len(flips):
            x = x.flip(axis)
        elif flips.any():
            x = torch.where(_mask(flips, x), x.flip(axis), x)
    return x


def shift_channels(x: Tensor, intensity: Tensor) -> Tensor:
    """Grey levels added, clipped to what each image (N, C, H, W) held before. Keras: `apply_channel_shift`."""
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return torch.minimum(torch.maximum(x + intensity, low), high)


def change_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Each image (N, C, H, W) away from its mean grey, or towards it; clipped to 0..255."""
    mean = _grey(x).mean((2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(x), x, factor.expand_as(x)).clamp_(0, 255)


def change_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Each pixel of (N, C, H, W) away from its own grey, or towards it; clipped to 0..255. Grey images stay."""
    if x.shape[1] < 3:
        return x
    return torch.lerp(_grey(x).expand_as(x), x, factor.expand_as(x)).clamp_(0, 255)


def _grey(x: Tensor) -> Tensor:
    """(N, 1, H, W): the luma of ITU-R BT.601, as PIL has it."""
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3] if x.shape[1] >= 3 else x[:, :1]


def change_brightness(x: Tensor, factor: Tensor, stretch: bool = False, slack: float = 0.0) -> Tensor:
    """Each image (N, C, H, W) times its factor, in whole grey levels as PIL does it. Keras: `apply_brightness_shift`.

    An image with values outside 0..255 is stretched to 0..255 and back; with `stretch` every image is stretched to
    0..255 and stays there. A fourth channel (alpha) keeps its value. `slack`: how far sampling may have missed a whole
    level, in grey levels.
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


class KerasAffine(v2.Transform):
    """Keras' random transform as a torchvision v2 transform: composes with torchvision's own on image batches.

    Args:
        seed: with a seed, the i-th image this object ever sees gets the same parameters in every run; without one,
            the numbers come from torch's global generator.
        channels_last: whether images are (N, H, W, C) instead of torchvision's (N, C, H, W).
        **ranges: the arguments of `AugmentRanges`; `zoom_range` may be one number z, meaning (1 - z, 1 + z).
    """

    _transformed_types = (torch.Tensor, tv_tensors.Image)

    def __init__(self, seed: int | None = None, channels_last: bool = False, **ranges: Any) -> None:
        super().__init__()
        zoom = ranges.get("zoom_range", 0.0)
        if np.ndim(zoom) == 0:
            ranges["zoom_range"] = (1 - zoom, 1 + zoom)
        self.ranges = AugmentRanges(**ranges)
        self.seed, self.channels_last, self.seen = seed, channels_last, 0

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw for the first image or batch in the sample; every image tensor in the sample gets the same."""
        image = flat_inputs[0]
        count = image.shape[0] if image.ndim == 4 else 1
        height, width = image.shape[-3:-1] if self.channels_last else image.shape[-2:]
        if self.seed is None:
            numbers = torch.rand(count, _DRAWS, dtype=torch.float64).numpy()
            return {"params": self.ranges.from_uniforms(numbers, height, width)}
        indices = np.arange(self.seen, self.seen + count)
        self.seen += count
        return {"params": self.ranges.draw(self.seed, 0, indices, height, width)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One image (C, H, W) or a batch (N, C, H, W); uint8 is rounded back to uint8."""
        batch = inpt.as_subclass(Tensor)
        batch = batch[None] if inpt.ndim == 3 else batch
        ranges = self.ranges
        result = apply_affine(
            batch,
            params["params"],
            ranges.fill_mode,
            ranges.cval,
            ranges.variant,
            order=ranges.order,
            channels_last=self.channels_last,
        )
        if not batch.is_floating_point():
            result = result.round().to(batch.dtype)
        result = result[0] if inpt.ndim == 3 else result
        return tv_tensors.wrap(result, like=inpt) if isinstance(inpt, tv_tensors.Image) else result
