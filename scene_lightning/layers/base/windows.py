"""Padding and output sizes of windows that slide over images: Keras' "valid" and "same", exactly.

Source: keras.layers.Conv2D, MaxPooling2D, Conv2DTranspose. "same" puts the odd pixel of padding after (bottom, right).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.types import Shape


def spatial(shape: Sequence[int | None], data_format: str) -> Shape:
    """The sides of an image batch shape, without batch and channel axis.

    Args:
        shape: batch shape of sequences, images or volumes.
        data_format: "channels_last" or "channels_first".
    """
    return tuple(shape[1:-1]) if data_format == "channels_last" else tuple(shape[2:])


def channels(shape: Sequence[int | None], data_format: str) -> int | None:
    """The number of channels of an image batch shape.

    Args:
        shape: batch shape of sequences, images or volumes.
        data_format: "channels_last" or "channels_first".
    """
    return shape[-1] if data_format == "channels_last" else shape[1]


def image_shape(batch: int | None, sides: Sequence[int | None], depth: int | None, data_format: str) -> Shape:
    """The batch shape of these sides and channels in a layout.

    Args:
        batch: batch size; None: any.
        sides: lengths of the sides; None: any.
        depth: number of channels; None: any.
        data_format: "channels_last" or "channels_first".
    """
    return (batch, *sides, depth) if data_format == "channels_last" else (batch, depth, *sides)


def to_channels_first(inputs: torch.Tensor, data_format: str) -> torch.Tensor:
    """View a batch with its channels first; the memory stays channels_last, which torch's kernels take as it is.

    Args:
        inputs: batch in the layout of `data_format`.
        data_format: "channels_last" or "channels_first".
    """
    # The axis by its own number: torch's older ONNX exporter writes -1 as it stands.
    return inputs.movedim(inputs.ndim - 1, 1) if data_format == "channels_last" else inputs


def refuse_channels_first(shape: Any, layer_name: str) -> None:
    """An InputError for a first batch that is evidently NCHW: one or three rows of 16 pixels or more, and as many
    channels. Keras would take it so, and make a kernel for that many channels.

    Args:
        shape: shape of the batch.
        layer_name: the layer's name, for the message.
    """
    if len(shape) == 4 and None not in shape and shape[1] in (1, 3) and shape[2] == shape[3] >= 16:
        raise InputError(
            f'Layer "{layer_name}" received a batch of shape {tuple(shape)} first. The batch looks like NCHW; images '
            f"are NHWC here, as in Keras: permute(0, 2, 3, 1). If height {shape[1]} and {shape[3]} channels are meant, "
            f"say so first: layer.build({(None, *shape[1:])})."
        )


def from_channels_first(outputs: torch.Tensor, data_format: str) -> torch.Tensor:
    """View a batch whose channels come first in the layout asked for.

    Args:
        outputs: batch with channels first.
        data_format: "channels_last" or "channels_first".
    """
    return outputs.movedim(1, outputs.ndim - 1) if data_format == "channels_last" else outputs


def _output_side(side: int | None, window: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """valid: floor((n - k)/s) + 1; same and causal: ceil(n/s); None stays None. May be ≤ 0 for valid."""
    if side is None:
        return None
    if padding == "valid":
        return (side - ((window - 1) * dilation + 1)) // stride + 1
    return -(-side // stride)


def output_sides(
    sides: Sequence[int | None],
    windows: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int] | None = None,
) -> Shape:
    """`_output_side` for each side. Raises InputError when the window does not fit in the image.

    Args:
        sides: lengths of the input's sides; None: unknown.
        windows, strides: of each side.
        padding: "valid", "same" or "causal".
        dilations: of each side; None: 1.
    """
    dilations = dilations or (1,) * len(windows)
    computed = tuple(
        _output_side(n, k, s, padding, d) for n, k, s, d in zip(sides, windows, strides, dilations, strict=True)
    )
    if any(n is not None and n <= 0 for n in computed):
        raise InputError(
            f"Computed output size would be negative. Received: image size {tuple(sides)}, window {tuple(windows)}, "
            f"strides {tuple(strides)}, dilation {tuple(dilations)}. Use larger images, fewer or smaller windows, "
            'or padding="same".'
        )
    return computed


def _same_padding(side: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(before, after): in all max((ceil(n/s) - 1)·s + k - n, 0), the odd one after."""
    total = max((-(-side // stride) - 1) * stride + (window - 1) * dilation + 1 - side, 0)
    return total // 2, total - total // 2


def same_paddings(
    sides: Sequence[int], windows: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """`_same_padding` for each side.

    Args:
        sides: lengths of the input's sides.
        windows, strides, dilations: of each side.
    """
    return [_same_padding(n, k, s, d) for n, k, s, d in zip(sides, windows, strides, dilations, strict=True)]


def torch_pad_list(paddings: Sequence[tuple[int, int]]) -> list[int]:
    """The paddings as the flat list that `F.pad` takes, last axis first.

    Args:
        paddings: (before, after) of each side.
    """
    return [n for pair in reversed(paddings) for n in pair]
