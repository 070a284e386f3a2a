"""What networks written after Keras' own applications import from there. Keras 2: `_obtain_input_shape`."""

from __future__ import annotations

from typing import Any

from scene_lightning._settings import image_data_format
from scene_lightning.applications.building.arguments import obtain_input_shape


def _obtain_input_shape(
    input_shape: Any,
    default_size: int,
    min_size: int,
    data_format: Any = None,
    require_flatten: bool = True,
    weights: Any = None,
    dim_ordering: Any = None,
    include_top: Any = None,
) -> Any:
    """The shape to build for; Keras 1 said `dim_ordering` and `include_top`.

    Raises:
        InputError: a shape that is impossible, too small, or not the one that pretrained weights take.
    """
    flatten = require_flatten if include_top is None else include_top
    if "channels_first" in (data_format, dim_ordering) or dim_ordering == "th":
        last = None if input_shape is None else (*input_shape[1:], input_shape[0])
        height, width, channels = obtain_input_shape(last, default_size, min_size, flatten, weights)
        return channels, height, width
    return obtain_input_shape(input_shape, default_size, min_size, flatten, weights)


def correct_pad(inputs: Any, kernel_size: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the zero padding, as ((top, bottom), (left, right)), before a 'valid' convolution of stride 2 over `inputs`.

    Args:
        inputs: a batch of images or feature maps, symbolic or not.
        kernel_size: an int or (height, width).
    """
    kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    first = 2 if image_data_format() == "channels_first" else 1
    odd = [1 if side is None else 1 - side % 2 for side in inputs.shape[first : first + 2]]
    rows, columns = ((size // 2 - fewer, size // 2) for size, fewer in zip(kernel, odd, strict=True))
    return rows, columns


__all__ = ["_obtain_input_shape", "correct_pad"]
