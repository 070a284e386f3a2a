"""The gradient of convolutions' kernels by matrix products: torch's own in float64 is the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from scene_lightning.fast import kernel_gradient as module

CASES = [  # kernel, strides, padding, image
    ((3, 3), (1, 1), (0, 0), (9, 11)),
    ((3, 3), (1, 1), (1, 1), (9, 12)),
    ((3, 3), (2, 2), (1, 1), (9, 12)),
    ((3, 2), (1, 3), (0, 1), (8, 9)),
    ((1, 5), (3, 1), (0, 2), (7, 6)),
    ((3, 3), (1, 1), (0, 0), (3, 3)),
]


@pytest.mark.parametrize(("kernel", "strides", "padding", "image"), CASES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("most", [1, 10_000, 2**25])
def test_the_kernels_gradient_is_torchs(
    kernel: Any, strides: Any, padding: Any, image: Any, layout: Any, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", most)  # an image at a time, some, all
    torch.manual_seed(0)
    images = torch.randn(5, 6, *image, dtype=torch.float64).contiguous(memory_format=layout)
    weights = torch.randn(4, 6, *kernel, dtype=torch.float64, requires_grad=True)
    outputs = F.conv2d(images, weights, None, strides, padding)
    given = torch.randn_like(outputs)
    (wanted,) = torch.autograd.grad(outputs, weights, given)
    found = module.kernel_gradient(images, tuple(weights.shape), given, strides, padding)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
