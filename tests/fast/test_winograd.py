"""Convolutions by Winograd's minimal filtering: torch's own in float64 is the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from scene_lightning.fast import winograd


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 0)])
@pytest.mark.parametrize("image", [(6, 6), (9, 11), (8, 16), (3, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("most", [1, 100_000, 2**25])
def test_outputs_are_torchs(padding: Any, image: Any, layout: Any, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "_MOST_BYTES", most)  # an image at a time, some, all
    torch.manual_seed(0)
    images = torch.randn(5, 6, *image, dtype=torch.float64).contiguous(memory_format=layout)
    kernel = torch.randn(4, 6, 3, 3, dtype=torch.float64).contiguous(memory_format=layout)
    for bias in (None, torch.randn(4, dtype=torch.float64)):
        found = winograd.conv2d(images, kernel, bias, padding)
        wanted = F.conv2d(images, kernel, bias, 1, padding)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_error_in_float32_is_a_few_of_its_last_places() -> None:
    torch.manual_seed(0)
    images, kernel = torch.randn(4, 256, 28, 28).relu(), torch.randn(256, 256, 3, 3) / 48
    wanted = F.conv2d(images.double(), kernel.double(), None, 1, 1)
    found = winograd.conv2d(images, kernel, None, (1, 1))
    assert (found - wanted).abs().max() < 2e-5 * wanted.abs().max()
    assert (found - wanted).square().mean().sqrt() < 2e-6 * wanted.square().mean().sqrt()


@pytest.mark.parametrize(
    ("channels", "filters", "image", "count", "strides", "padding", "so"),
    [
        (256, 256, (56, 56), 1, (1, 1), (1, 1), True),
        (128, 256, (56, 56), 1, (1, 1), (1, 1), True),
        (512, 512, (14, 14), 8, (1, 1), (1, 1), True),
        (128, 256, (17, 17), 32, (1, 1), (0, 0), False),  # the paper's last block: nothing to gain
        (64, 256, (56, 56), 8, (1, 1), (1, 1), False),
        (128, 128, (112, 112), 8, (1, 1), (1, 1), False),
        (512, 512, (14, 14), 1, (1, 1), (1, 1), False),  # few tiles
        (512, 512, (5, 5), 64, (1, 1), (1, 1), False),  # more than half of them lies outside
        (512, 512, (28, 28), 8, (2, 2), (1, 1), False),
    ],
)
def test_what_is_worth_it(
    channels: int, filters: int, image: Any, count: int, strides: Any, padding: Any, so: bool
) -> None:
    images = torch.empty(count, channels, *image, device="meta")
    kernel = torch.empty(filters, channels, 3, 3, device="meta")
    assert winograd.worth_it(images, kernel, strides, padding) == so
    assert not winograd.worth_it(images, kernel[:, :, :1], strides, padding)
