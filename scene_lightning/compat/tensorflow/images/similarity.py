"""`tf.image`: differences of neighbours, edges, and the likeness of two images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning.compat.tensorflow.images.arguments import picture, require
from scene_lightning.compat.tensorflow.images.colour import convert_image_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation


@operation
def image_gradients(image: Any) -> Any:
    """Gives the differences of neighbours (downwards, to the right), zeros in the last row and column.

    Args:
        image: (batch, height, width, channels).
    """
    x = as_tensor(image)
    require(x.ndim == 4, f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {tuple(x.shape)}.")
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    down[:, :-1] = x[:, 1:] - x[:, :-1]
    right[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return down, right


@operation
def sobel_edges(image: Any) -> Any:
    """Gives Sobel's differences downwards and to the right: (batch, height, width, channels, 2).

    Args:
        image: (batch, height, width, channels).
    """
    x = as_tensor(image).float()
    kernel = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]], device=x.device)
    planes = F.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="reflect").flatten(0, 1).unsqueeze(1)
    edges = F.conv2d(planes, torch.stack([kernel, kernel.t()]).unsqueeze(1))
    return edges.reshape(x.shape[0], x.shape[3], 2, *x.shape[1:3]).permute(0, 3, 4, 1, 2)


@operation
def total_variation(images: Any, name: Any = None) -> Any:
    """Sums the absolute differences of neighbours, for each image.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        name: for TensorFlow's sake, without effect.
    """
    x = picture(images, "images")
    down, right = (x[..., 1:, :, :] - x[..., :-1, :, :]).abs(), (x[..., 1:, :] - x[..., :-1, :]).abs()
    return down.sum((-3, -2, -1)) + right.sum((-3, -2, -1))


def _floats(first: Any, second: Any, max_val: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Both images, and the range of their values, as floats (integers over their range as 0..1)."""
    x, y = as_tensor(first), as_tensor(second)
    fits = x.ndim >= 3 and y.ndim >= 3 and x.shape[-3:] == y.shape[-3:]
    require(fits, f"Two images are not compatible: {tuple(x.shape)} and {tuple(y.shape)}.")
    most = convert_image_dtype(as_tensor(max_val).to(x.dtype), torch.float32)
    return convert_image_dtype(x, torch.float32), convert_image_dtype(y, torch.float32), most


@operation
def psnr(a: Any, b: Any, max_val: Any, name: Any = None) -> Any:
    """Gives the peak signal-to-noise ratio of each pair of images, in decibels.

    Args:
        a, b: (…, height, width, channels), of one dtype.
        max_val: the range of the values: 255, or 1.0 for floats.
        name: for TensorFlow's sake, without effect.
    """
    first, second, most = _floats(a, b, max_val)
    return 10 * torch.log10(most**2 / (first - second).square().mean((-3, -2, -1)))


def _likeness(
    x: torch.Tensor, y: torch.Tensor, most: torch.Tensor, size: int, sigma: float, k1: float, k2: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The maps (…, h, w, C) of the structural similarity, and of its part without brightness."""
    require(
        min(x.shape[-3:-1]) >= size,
        f"The images must be at least as large as filter_size={size}; received the shape {tuple(x.shape)}.",
    )
    reach = torch.arange(size, device=x.device) - (size - 1) / 2
    line = torch.softmax(-(reach**2) / (2 * sigma**2), 0)

    def blurred(values: torch.Tensor) -> torch.Tensor:
        return _by_plane(values, lambda planes: F.conv2d(planes, torch.outer(line, line)[None, None]))

    c1, c2 = (k1 * most) ** 2, (k2 * most) ** 2
    mean_x, mean_y = blurred(x), blurred(y)
    both, apart = 2 * mean_x * mean_y, mean_x**2 + mean_y**2
    structure = (2 * blurred(x * y) - both + c2) / (blurred(x * x + y * y) - apart + c2)
    return (both + c1) / (apart + c1) * structure, structure


@operation
def ssim(
    img1: Any, img2: Any, max_val: Any, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01,
    k2: float = 0.03, return_index_map: bool = False,
) -> Any:  # fmt: skip
    """Gives the structural similarity of each pair of images (Wang et al. 2004), in -1..1.

    Args:
        img1, img2: (…, height, width, channels), of one dtype.
        max_val: the range of the values: 255, or 1.0 for floats.
        filter_size: side of the Gaussian window in pixels.
        filter_sigma: its deviation in pixels.
        k1, k2: the two constants of the formula.
        return_index_map: whether to give the map (…, height', width') instead of its mean.
    """
    first, second, most = _floats(img1, img2, max_val)
    first, second = torch.broadcast_tensors(first, second)
    likeness, _ = _likeness(first, second, most, filter_size, filter_sigma, k1, k2)
    return likeness.mean(-1) if return_index_map else likeness.mean((-3, -2)).mean(-1)


@operation
def ssim_multiscale(
    img1: Any, img2: Any, max_val: Any,
    power_factors: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333), filter_size: int = 11,
    filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
) -> Any:  # fmt: skip
    """Gives the structural similarity over sizes that halve from factor to factor (Wang et al. 2003).

    Args:
        img1, img2: (…, height, width, channels), of one dtype.
        max_val: the range of the values: 255, or 1.0 for floats.
        power_factors: exponents, one for each size.
        filter_size: side of the Gaussian window in pixels.
        filter_sigma: its deviation in pixels.
        k1, k2: the two constants of the formula.
    """
    x, y, most = _floats(img1, img2, max_val)
    x, y = torch.broadcast_tensors(x, y)
    require(len(power_factors) > 0, "power_factors is empty.")
    made = torch.ones((), device=x.device)
    for number, power in enumerate(power_factors):
        if number:
            x, y = _halved(x), _halved(y)
        likeness, structure = _likeness(x, y, most, filter_size, filter_sigma, k1, k2)
        made = made * (likeness if number == len(power_factors) - 1 else structure).mean((-3, -2)).relu() ** power
    return made.mean(-1)


def _halved(x: torch.Tensor) -> torch.Tensor:
    """(…, H, W, C) → (…, ⌈H/2⌉, ⌈W/2⌉, C): means of four; an odd last row or column counts twice."""
    odd = (0, x.shape[-2] % 2, 0, x.shape[-3] % 2)
    return _by_plane(x, lambda planes: F.avg_pool2d(F.pad(planes, odd, mode="replicate"), 2))


def _by_plane(x: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """`change` of each channel of (…, H, W, C) as an image (1, H, W)."""
    planes = x.movedim(-1, -3)
    made = change(planes.reshape(-1, 1, *planes.shape[-2:]))
    return made.reshape(*planes.shape[:-2], *made.shape[-2:]).movedim(-3, -1)
