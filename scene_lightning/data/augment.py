"""Augments whole batches of images as Keras' ImageDataGenerator augments one image.

`AugmentRanges.draw` draws the numbers, `apply_affine` applies them. Images
hold grey levels of 0..255 here; rescaling comes after (standardize.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scene_lightning.data.color_changes import change_brightness, change_contrast, change_saturation, shift_channels
from scene_lightning.data.geometry import View, affine_matrices, check_variant, fold_flips
from scene_lightning.data.randomness import uniforms
from scene_lightning.data.sampling import check_fill_mode, sample, sample_exactly, sample_spline

Floats = NDArray[np.float64]
# grid_sample may give 254.99998 where the image is flat and white: that must not become 254, nor 255.00002 be taken
# for an image that leaves 0..255.
_SLACK = 1e-3
COLOURS = ("channel_shift", "brightness", "contrast", "saturation")
NUMBERS = ("matrices", "moves", "flip_h", "flip_v", *COLOURS)
DRAWS = 14  # uniform numbers an image uses, whatever is switched on: a new option does not move the others


@dataclass  # not frozen: Lightning copies batches field by field where it converts them to a precision
class AffineParams:
    """What happens to each of N images; every field is (N,), or None where nothing of the kind happens.

    Attributes:
        theta, shear: degrees; theta above 0 turns the content counter-clockwise.
        tx, ty: pixels, output → input.
        zx, zy: factors for columns and rows; below 1 magnifies.
        flip_h, flip_v: mirrored left to right, top to bottom.
        channel_shift: grey levels added.
        brightness: factor.
        contrast: factor of the distance to the image's mean.
        saturation: factor of the distance to the pixel's own grey.
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

    def numbers(
        self, height: int, width: int, variant: str = "keras>=2.9", view: View | None = None, kind: Any = np.float64
    ) -> dict[str, NDArray[Any]]:
        """What `apply_affine` reads of them on the device, by name; only what changes something.

        Args:
            height, width: of the images, in pixels.
            variant, view: as for `apply_affine`.
            kind: dtype of the changes of colour.
        """
        found: dict[str, NDArray[Any]] = {}
        moves = self.moves()
        if moves.any() or view is not None:
            plan = self.matrices(height, width, variant)
            found["matrices"] = plan if view is None else view.of(plan)
        if view is None and not moves.all():
            choices = {"moves": moves, "flip_h": self.flip_h, "flip_v": self.flip_v}
            found |= {name: chosen for name, chosen in choices.items() if chosen.any() and not chosen.all()}
        colours = {name: getattr(self, name) for name in COLOURS}
        return found | {name: values.astype(kind, copy=False) for name, values in colours.items() if values is not None}

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

    Beyond Keras: `contrast_range` and `saturation_range`. Contrast is the distance from the image's mean grey,
    saturation each pixel's from its own grey, as PIL and torchvision's ColorJitter have them;
    `tf.image.adjust_saturation` multiplies the S of HSV.

    Attributes:
        rotation_range: degrees; turned by up to as many either way.
        width_shift_range: a float is a range either way, an int or a list holds the choices; below 1 a share of the
            width, else pixels.
        height_shift_range: the same of the height.
        shear_range: degrees, either way.
        zoom_range: (low, high) factors of what is seen; below 1 magnifies.
        channel_shift_range: grey levels of 0..255, either way.
        brightness_range: (low, high) factors; None for none.
        horizontal_flip: whether half of the images are mirrored left to right.
        vertical_flip: whether half of them are mirrored top to bottom.
        fill_mode: what lies beyond the image: "nearest", "reflect", "constant" or "wrap".
        cval: grey level of fill_mode "constant".
        order: of the interpolation: 0 nearest, 1 bilinear, 2 to 5 splines.
        contrast_range: c for a factor between 1 - c and 1 + c; 0 for none.
        saturation_range: the same of the saturation.
        variant: the Keras version whose geometry is meant, one of `geometry.VARIANTS`.
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
        return self.from_uniforms(uniforms(seed, epoch, indices, DRAWS), height, width)

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

    def apply(
        self,
        images: Tensor,
        params: AffineParams,
        view: View | None = None,
        numbers: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """(N, H, W, C) float32 → the same, augmented; with a view, in its size. `numbers`: as for `apply_affine`."""
        return apply_affine(
            images, params, self.fill_mode, self.cval, self.variant, order=self.order, view=view, numbers=numbers
        )

    def is_identity(self) -> bool:
        """Whether no image is ever changed."""
        flips = (self.horizontal_flip, self.vertical_flip)
        moves = (self.rotation_range, self.width_shift_range, self.height_shift_range, self.shear_range)
        colours = (self.channel_shift_range, self.contrast_range, self.saturation_range)
        changed = any(np.any(one) for one in (*flips, *moves, *colours))
        return not changed and tuple(self.zoom_range) == (1, 1) and self.brightness_range is None


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
    numbers: Mapping[str, Tensor] | None = None,
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
        channels_last: whether images are (N, H, W, C), or (N, C, H, W).
        numbers: `params.numbers` of these images and this view, on the images' device already; None to copy them there.

    Returns:
        float32, shaped as `images`, or as the view; without one, an image whose parameters are the identity comes back
        bit for bit.
    """
    check_fill_mode(fill_mode)
    x = images.permute(0, 3, 1, 2) if channels_last else images
    if not x.is_floating_point():  # one pass: to float32 and to planes, which is what sampling reads
        x = x.to(torch.float32, memory_format=torch.contiguous_format)
    if numbers is None:
        numbers = _copied(params.numbers(x.shape[-2], x.shape[-1], variant, view), x)
    x = _geometry(x, params, numbers, fill_mode, cval, variant, order, exact, view)
    channel_shift, brightness, contrast, saturation = (_per_image(numbers.get(name)) for name in COLOURS)
    if channel_shift is not None:
        x = shift_channels(x, channel_shift)
    if brightness is not None:
        slack = _SLACK if not exact and "matrices" in numbers else 0.0
        x = change_brightness(x, brightness, stretch=variant == "keras<=2.8", slack=slack)
    if contrast is not None:
        x = change_contrast(x, contrast)
    if saturation is not None:
        x = change_saturation(x, saturation)
    # NHWC is what the layers want in memory, too.
    return x.permute(0, 2, 3, 1).contiguous() if channels_last else x


def _copied(numbers: Mapping[str, NDArray[Any]], x: Tensor) -> dict[str, Tensor]:
    """Numbers beside the images `x`, in their dtype where they change colours."""
    # MPS has no float64; there the coordinates cost 0.002 grey levels more.
    kinds = {"matrices": torch.float32 if x.device.type == "mps" else torch.float64} | dict.fromkeys(COLOURS, x.dtype)
    return {
        name: torch.as_tensor(values, dtype=kinds.get(name)).to(x.device, non_blocking=True)
        for name, values in numbers.items()
    }


def _per_image(values: Tensor | None) -> Any:
    return None if values is None else values.view(-1, 1, 1, 1)


def _geometry(
    x: Tensor,
    params: AffineParams,
    numbers: Mapping[str, Tensor],
    fill_mode: str,
    cval: float,
    variant: str,
    order: int,
    exact: bool,
    view: View | None,
) -> Tensor:
    if "matrices" not in numbers:
        return _flip(x, params, numbers)
    if view is not None:
        return sample(x, numbers["matrices"], fill_mode, cval, view.size)
    if order > 1:
        moved = sample_spline(x, params.matrices(x.shape[-2], x.shape[-1], variant), fill_mode, cval, order)
    elif order == 1 and not exact:
        moved = sample(x, numbers["matrices"], fill_mode, cval)
    else:
        moved = sample_exactly(x, numbers["matrices"], fill_mode, cval, order)
    if "moves" in numbers:
        return torch.where(_per_image(numbers["moves"]), moved, _flip(x, params, numbers))
    return moved


def _flip(x: Tensor, params: AffineParams, numbers: Mapping[str, Tensor]) -> Tensor:
    """Mirrored by moving pixels, without interpolation: exact."""
    for name, axis in (("flip_h", 3), ("flip_v", 2)):
        if name in numbers:
            x = torch.where(_per_image(numbers[name]), x.flip(axis), x)
        elif getattr(params, name).any():  # all of them
            x = x.flip(axis)
    return x
