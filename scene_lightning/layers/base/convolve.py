"""Calls torch's convolutions in the forms that PyTorch's CPU library, oneDNN, computes right.

In PyTorch 2.14.1 (found by `make fuzz`, which holds all of this) oneDNN goes wrong on the CPU, in channels_last and
with the instructions of AVX2, AVX-512 and AVX-512-BF16, in these cases:

- a 1x1 kernel with strides: writes past its memory in the backward pass (below 16 channels, on several threads);
- a tap of the kernel that meets nothing but padding, any padded 3-D kernel, and strides along a side with one output:
  gradients of the kernel, and now and then outputs, are memory that nobody has written, or never come;
- a dilated kernel in bfloat16 over images wider than some 28 pixels: the same.

Each has an equal form that is computed right: pixels that no output sees are left out first; padding is laid around the
image beforehand; along a side with one output the stride is 1; a dilated kernel is applied in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.layers.base.windows import torch_pad_list

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_LEAST_CHANNELS = 16  # from here on a 1x1 kernel with strides is computed right, and sooner than any other way
Pairs = Sequence[tuple[int, int]]


def convolve(
    images: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    strides: Sequence[int],
    pads: Pairs,
    dilation: Sequence[int],
    groups: int = 1,
    function: Callable[..., torch.Tensor] | None = None,
) -> torch.Tensor:
    """A convolution of any rank.

    Args:
        images: (N, C, ...), in any memory format.
        kernel: (filters, C / groups, ...), as torch orders it.
        bias: (filters,), or None.
        strides, dilation: one int a side.
        pads: zeros laid before and after each side.
        groups: the channels are split in so many groups, convolved apart.
        function: what to call with torch's arguments, instead of torch's own convolution.

    Returns:
        (N, filters, ...).
    """
    function = function or _CONVOLVE[kernel.ndim - 2]
    windows = tuple(kernel.shape[2:])
    dilation = tuple(1 if k == 1 else d for k, d in zip(windows, dilation, strict=True))
    if _by_onednn(images):
        if max(dilation) > 1 and _in_sixteen_bits(images):
            return _in_float32(convolve, images, kernel, bias, strides, pads, dilation, groups, function)
        if max(windows) == 1 and max(strides) > 1 and images.shape[1] < _LEAST_CHANNELS:
            images, strides = _every(images, strides), (1,) * len(windows)
        elif _goes_wrong(tuple(images.shape[2:]), windows, strides, pads, dilation):
            images, strides, pads = _as_seen(images, windows, strides, pads, dilation)
    padding = tuple(before for before, _ in pads)
    if any(before != after for before, after in pads):  # torch pads both ends alike
        images, padding = F.pad(images, torch_pad_list(pads)), (0,) * len(windows)
    return function(images, kernel, bias, tuple(strides), padding, dilation, groups)


def convolve_transposed(
    images: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    strides: Sequence[int],
    crops: Pairs,
    dilation: Sequence[int],
) -> torch.Tensor:
    """A transposed convolution of any rank, which enlarges.

    Args:
        images: (N, C, ...), in any memory format.
        kernel: (C, filters, ...), as torch orders it, contiguous: some of torch's kernels take no view backward.
        bias: (filters,), or None.
        strides, dilation: one int a side.
        crops: what is cut off before and after each side of the full output; below 0, zeros are laid there (and the
            bias added).

    Returns:
        (N, filters, ...).
    """
    windows, sides = tuple(kernel.shape[2:]), tuple(images.shape[2:])
    dilation = tuple(1 if k == 1 else d for k, d in zip(windows, dilation, strict=True))
    common = tuple(max(0, min(crop)) for crop in crops)
    if _by_onednn(images):
        if max(dilation) > 1 and _in_sixteen_bits(images):
            return _in_float32(convolve_transposed, images, kernel, bias, strides, crops, dilation)
        full = [(n - 1) * s + (k - 1) * d + 1 for n, k, s, d in zip(sides, windows, strides, dilation, strict=True)]
        inside = tuple(n - 2 * cut for n, cut in zip(full, common, strict=True))
        if _goes_wrong(inside, windows, strides, [(cut, cut) for cut in common], dilation):
            # The gradient of its kernel is that of a convolution over the output: what is cut is that one's padding.
            common = (0,) * len(windows)
            strides = tuple(1 if n == 1 else s for n, s in zip(sides, strides, strict=True))
    late = bias is not None and any(min(crop) < 0 for crop in crops)
    transposed: Callable[..., torch.Tensor] = _TRANSPOSED[len(windows)]
    outputs = transposed(images, kernel, None if late else bias, tuple(strides), common, 0, 1, dilation)
    # torch cuts both ends alike: what is left to cut or to add comes off one end afterwards.
    rest = [(both - before, both - after) for (before, after), both in zip(crops, common, strict=True)]
    if any(pair != (0, 0) for pair in rest):
        outputs = F.pad(outputs, torch_pad_list(rest))  # negative: cut, a view
    return outputs + bias.view(-1, *(1,) * len(windows)) if late and bias is not None else outputs


def _by_onednn(images: torch.Tensor) -> bool:
    """Whether oneDNN may compute this. A program that is exported runs elsewhere, on images of any size."""
    exporting = getattr(torch.compiler, "is_exporting", lambda: False)
    return images.device.type == "cpu" and not exporting() and not torch.jit.is_tracing()


def _every(images: torch.Tensor, strides: Sequence[int]) -> torch.Tensor:
    """The pixels that a 1x1 kernel sees, laid out as the images are: a view with gaps would end channels_last."""
    rows = images.movedim(1, -1)
    seen = rows[(slice(None), *(slice(None, None, s) for s in strides))]
    return (seen.contiguous() if rows.is_contiguous() else seen).movedim(-1, 1)


def _in_sixteen_bits(images: torch.Tensor) -> bool:
    if images.dtype == torch.float64:  # autocast leaves it alone
        return False
    return torch.is_autocast_enabled("cpu") or images.dtype.itemsize == 2


def _in_float32(compute: Callable[..., torch.Tensor], *arguments: Any) -> torch.Tensor:
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else arguments[0].dtype
    with torch.autocast("cpu", enabled=False):
        wide = (value.float() if isinstance(value, torch.Tensor) else value for value in arguments)
        return compute(*wide).to(dtype)


def _goes_wrong(
    sides: Sequence[int], windows: Sequence[int], strides: Sequence[int], pads: Pairs, dilation: Sequence[int]
) -> bool:
    """Whether oneDNN may answer with memory that nobody has written; see the top of this file."""
    for n, k, s, (before, after), d in zip(sides, windows, strides, pads, dilation, strict=True):
        padded = before > 0 or after > 0
        outputs = (n + before + after - (k - 1) * d - 1) // s + 1
        if padded and len(windows) == 3:
            return True
        if outputs == 1 and s > 1:
            return True
        if padded and any(_sees_padding_alone(tap * d - before, s, outputs, n) for tap in range(k)):
            return True
    return False


def _sees_padding_alone(first: int, stride: int, outputs: int, side: int) -> bool:
    """Whether none of the pixels first, first + stride, … (`outputs` of them) lies within 0..side - 1."""
    skipped = max(0, -(first // stride))  # those before pixel 0
    return skipped >= outputs or first + skipped * stride >= side


def _as_seen(
    images: torch.Tensor, windows: Sequence[int], strides: Sequence[int], pads: Pairs, dilation: Sequence[int]
) -> tuple[torch.Tensor, tuple[int, ...], Pairs]:
    """Exactly the pixels that the windows see, zeros around them included; no padding; stride 1 for a single window."""
    frame, steps = [], []
    for n, k, s, (before, after), d in zip(images.shape[2:], windows, strides, pads, dilation, strict=True):
        window = (k - 1) * d + 1
        outputs = (n + before + after - window) // s + 1
        frame.append((before, (outputs - 1) * s + window - n - before))
        steps.append(1 if outputs == 1 else s)
    return F.pad(images, torch_pad_list(frame)), tuple(steps), [(0, 0)] * len(windows)
