"""The rest of `tf.image`: windows, colour spaces, edges, likeness of two images, chance that starts from a seed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from scene_lightning import ops
from scene_lightning.compat.stand_in import image as images_
from scene_lightning.compat.stand_in.operation import as_tensor, operation
from scene_lightning.compat.stand_in.random import _seeded


@operation
def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Any:
    """(N, H, W, C) → (N, rows, columns, height·width·C): windows, their sizes given as [1, height, width, 1]."""
    size, step, rate = (tuple(int(n) for n in value[1:3]) for value in (sizes, strides, rates))
    return ops.image.extract_patches(as_tensor(images), size, step, rate, padding.lower())


@operation
def rgb_to_hsv(images: Any, name: Any = None) -> Any:
    """Hue, saturation, value of float colours in 0..1."""
    return ops.image.rgb_to_hsv(as_tensor(images))


@operation
def hsv_to_rgb(images: Any, name: Any = None) -> Any:
    """The reverse of `rgb_to_hsv`."""
    return ops.image.hsv_to_rgb(as_tensor(images))


_YUV = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]


@operation
def rgb_to_yuv(images: Any) -> Any:
    """Brightness and two differences of colour."""
    return as_tensor(images) @ torch.tensor(_YUV)


@operation
def yuv_to_rgb(images: Any) -> Any:
    """The reverse of `rgb_to_yuv`."""
    return as_tensor(images) @ torch.linalg.inv(torch.tensor(_YUV))


@operation
def image_gradients(image: Any) -> Any:
    """(N, H, W, C) → (differences down, differences to the right), zeros in the last row and column."""
    x = as_tensor(image)
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    down[:, :-1] = x[:, 1:] - x[:, :-1]
    right[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return down, right


@operation
def sobel_edges(image: Any) -> Any:
    """(N, H, W, C) → (N, H, W, C, 2): Sobel's differences down and to the right."""
    x = as_tensor(image).float()
    kernel = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
    planes = F.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="reflect").flatten(0, 1).unsqueeze(1)
    edges = F.conv2d(planes, torch.stack([kernel, kernel.t()]).unsqueeze(1))
    return edges.reshape(x.shape[0], x.shape[3], 2, *x.shape[1:3]).permute(0, 3, 4, 1, 2)


@operation
def total_variation(images: Any, name: Any = None) -> Any:
    """The sum of the differences of neighbours, of each image."""
    x = as_tensor(images)
    down, right = (x[..., 1:, :, :] - x[..., :-1, :, :]).abs(), (x[..., 1:, :] - x[..., :-1, :]).abs()
    return down.sum((-3, -2, -1)) + right.sum((-3, -2, -1))


@operation
def psnr(a: Any, b: Any, max_val: Any, name: Any = None) -> Any:
    """The peak signal-to-noise ratio in decibels, of each pair of images."""
    first, second = as_tensor(a).float(), as_tensor(b).float()
    error = (first - second).square().mean((-3, -2, -1))
    return 10 * torch.log10(torch.as_tensor(float(max_val)) ** 2 / error)


@operation
def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    **_: Any,
) -> Any:
    """The structural similarity of each pair of images (Wang et al. 2004)."""
    first, second = (as_tensor(x).float() for x in (img1, img2))
    reach = torch.arange(filter_size) - (filter_size - 1) / 2
    line = torch.softmax(-(reach**2) / (2 * filter_sigma**2), 0)

    def blurred(x: torch.Tensor) -> torch.Tensor:
        planes = x.movedim(-1, -3).reshape(-1, 1, *x.shape[-3:-1])
        return F.conv2d(planes, torch.outer(line, line)[None, None])

    mean_1, mean_2 = blurred(first), blurred(second)
    both = blurred(first * second) - mean_1 * mean_2
    spread = blurred(first * first + second * second) - mean_1**2 - mean_2**2
    c1, c2 = (k1 * float(max_val)) ** 2, (k2 * float(max_val)) ** 2
    likeness = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1) * (2 * both + c2) / (spread + c2)
    return likeness.mean((-3, -2, -1)).reshape(*first.shape[:-3], first.shape[-1]).mean(-1)


@operation
def crop_and_resize(
    image: Any, boxes: Any, box_indices: Any, crop_size: Any, method: str = "bilinear", **_: Any
) -> Any:
    """Parts of a batch of images at one size; boxes are (y1, x1, y2, x2) in 0..1 of the sides less one pixel."""
    pictures, places = as_tensor(image).float(), as_tensor(boxes).float()
    height, width = (int(side) for side in crop_size)
    parts = []
    for box, index in zip(places, as_tensor(box_indices).tolist(), strict=True):
        rows = torch.linspace(float(box[0]), float(box[2]), height) * 2 - 1
        columns = torch.linspace(float(box[1]), float(box[3]), width) * 2 - 1
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)[None]
        planes = pictures[index].permute(2, 0, 1)[None]
        kind = "nearest" if method == "nearest" else "bilinear"
        parts.append(F.grid_sample(planes, grid, mode=kind, align_corners=True)[0].permute(1, 2, 0))
    return torch.stack(parts)


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, name: Any = None) -> Any:
    """(H, W, C) as a JPEG file of this quality (0 to 100) would show it."""
    tensor = as_tensor(image)
    pixels = images_.convert_image_dtype(tensor, torch.uint8, saturate=True).numpy()
    file = io.BytesIO()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    picture.save(file, "JPEG", quality=int(jpeg_quality))
    decoded = np.asarray(Image.open(file)).reshape(pixels.shape)
    return images_.convert_image_dtype(torch.from_numpy(decoded.copy()), tensor.dtype)


def random_jpeg_quality(image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: Any = None) -> Any:
    """A JPEG of random quality."""
    return adjust_jpeg_quality(image, int(torch.randint(min_jpeg_quality, max_jpeg_quality, ())))


def _stateless(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(image: Any, *args: Any, **kwargs: Any) -> Any:
        rest, seed = (args, kwargs.pop("seed")) if "seed" in kwargs else (args[:-1], args[-1])
        with _seeded(seed):
            return function(image, *rest, **kwargs)

    call.__doc__ = f"{function.__doc__} The same for the same two numbers of `seed`."
    return call


stateless_random_brightness = _stateless(images_.random_brightness)
stateless_random_contrast = _stateless(images_.random_contrast)
stateless_random_saturation = _stateless(images_.random_saturation)
stateless_random_hue = _stateless(images_.random_hue)
stateless_random_flip_left_right = _stateless(images_.random_flip_left_right)
stateless_random_flip_up_down = _stateless(images_.random_flip_up_down)
stateless_random_crop = _stateless(images_.random_crop)
stateless_random_jpeg_quality = _stateless(random_jpeg_quality)

__all__ = [
    "adjust_jpeg_quality", "crop_and_resize", "extract_patches", "hsv_to_rgb", "image_gradients", "psnr",
    "random_jpeg_quality", "rgb_to_hsv", "rgb_to_yuv", "sobel_edges", "ssim", "stateless_random_brightness",
    "stateless_random_contrast", "stateless_random_crop", "stateless_random_flip_left_right",
    "stateless_random_flip_up_down", "stateless_random_hue", "stateless_random_jpeg_quality",
    "stateless_random_saturation", "total_variation", "yuv_to_rgb",
]  # fmt: skip
