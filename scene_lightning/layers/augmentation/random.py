"""The base of the Random* layers: draws parameters in one step and changes images by them in another.

`draw(shape, device)` makes one set of parameters a sample; `transform(images, parameters)` is a pure function of both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import layout, one_of
from scene_lightning.layers.base.seeds import SeedStream
from scene_lightning.layers.base.types import Shape, ShapeLike
from scene_lightning.layers.preprocessing import ImageLayer, on_batch

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
Parameters = dict[str, torch.Tensor]


class RandomImageLayer(ImageLayer):
    """The base of the Random* layers: random in training and in a bare call; at inference images pass, as float32."""

    _random_when_called_bare = True

    def _set_random(self, seed: Any, data_format: Any) -> None:
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed
        self.data_format = layout(data_format)

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Parameters:
        """Parameters for a batch of this NHWC shape, each of shape (N,)."""
        raise NotImplementedError

    def transform(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        """Float images (N, H, W, C) changed by `parameters`."""
        raise NotImplementedError

    def at_inference(self, images: torch.Tensor) -> torch.Tensor:
        """What inference does to (N, H, W, C): nothing."""
        return images

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training:
            return on_batch(inputs, self.data_format, self.at_inference)
        return on_batch(inputs, self.data_format, self._images)

    def _images(self, images: torch.Tensor) -> torch.Tensor:
        return self.transform(images, self.draw(tuple(images.shape), images.device))

    def _between(self, bounds: tuple[float, float], count: int, device: torch.device) -> torch.Tensor:
        """(count,) uniform numbers in [low, high)."""
        low, high = bounds
        uniform = torch.empty(count, device=device).uniform_(0.0, 1.0, generator=self._seeds.next(device))
        return uniform * (high - low) + low

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return tuple(input_shape)


def factor_pair(value: Any, name: str, low: float = -1.0, high: float = 1.0, *, open_low: bool = False) -> Any:
    """The bounds of a random factor: (-f, f) for a number f, a pair in order. Raises InputError outside [low, high].

    Args:
        value: what a user gave.
        name: the argument's name, for messages.
        low, high: least and largest number allowed.
        open_low: whether `low` itself is refused.
    """
    pair = tuple(value) if isinstance(value, tuple | list) else (value,)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in pair)
    if not numbers or len(pair) not in (1, 2) or any(not low <= v <= high or (open_low and v == low) for v in pair):
        raise InputError(
            f"The `{name}` argument should be a number (or a list of two numbers) in the range "
            f"{'(' if open_low else '['}{low}, {high}]. Received: {name}={value!r}"
        )
    return (-abs(pair[0]), abs(pair[0])) if len(pair) == 1 else (min(pair), max(pair))


def check_fill(fill_mode: str, interpolation: str, layer: str) -> tuple[str, str]:
    """The two arguments, if they are known ones.

    Args:
        fill_mode: one of `FILL_MODES`.
        interpolation: "nearest" or "bilinear".
        layer: the layer's class, for messages.
    """
    return (
        one_of(fill_mode, FILL_MODES, "fill_mode", layer),
        one_of(interpolation, ("nearest", "bilinear"), "interpolation", layer),
    )


def affine(
    images: torch.Tensor, matrices: torch.Tensor, fill_mode: str, interpolation: str, fill_value: float
) -> torch.Tensor:
    """Resample images: output pixel (x, y) is read at matrices · (x, y, 1), in pixels. Keras: `affine_transform`.

    Args:
        matrices: (N, 2, 3), rows for x (column) and y (row) of the input.
        fill_mode: outside the image: "reflect" (d c b a | a b c d | d c b a), "wrap", "nearest" or "constant".
        images: tensor of (batch, height, width, channels).
        interpolation: "nearest" or "bilinear".
        fill_value: value outside the image for "constant".
    """
    first = images.movedim(-1, 1)
    height, width = images.shape[1:3]
    if fill_mode == "wrap":  # one more row and column, so that the last pixel interpolates towards the first
        first = F.pad(first, (0, 1, 0, 1), mode="circular")
    grid = _grid(matrices, height, width, first.shape[3], first.shape[2], wrap=fill_mode == "wrap")
    shift = fill_value if fill_mode == "constant" else 0.0
    padding = {"reflect": "reflection", "constant": "zeros"}.get(fill_mode, "border")
    if shift:
        first = first - shift
    resampled = F.grid_sample(first, grid.to(first.dtype), interpolation, padding, align_corners=False)
    # Layers after this one want NHWC memory; grid_sample may have left NCHW.
    return (resampled + shift if shift else resampled).movedim(1, -1).contiguous()


def _grid(matrices: torch.Tensor, height: int, width: int, columns: int, rows: int, *, wrap: bool) -> torch.Tensor:
    """(N, H, W, 2) places in grid_sample's units: -1 and 1 are the outer edges of the outer pixels."""
    # float64 where the device has it: float32 places are off by 1e-3 of a grey level on 150 pixels
    exact = matrices if matrices.device.type == "mps" else matrices.double()
    x = torch.arange(width, device=exact.device, dtype=exact.dtype)
    y = torch.arange(height, device=exact.device, dtype=exact.dtype)
    along = exact[:, :, 0, None] * x  # (N, 2, W)
    down = exact[:, :, 1, None] * y + exact[:, :, 2, None]  # (N, 2, H)
    places = along[:, :, None, :] + down[:, :, :, None]  # (N, 2, H, W)
    # the sides as plain numbers: as a tensor they would be copied to the device, which a GPU's queue waits for
    x_places, y_places = places[:, 0], places[:, 1]
    if wrap:
        x_places, y_places = torch.remainder(x_places, width), torch.remainder(y_places, height)
    return torch.stack(((2 * x_places + 1) / columns - 1, (2 * y_places + 1) / rows - 1), dim=-1)
