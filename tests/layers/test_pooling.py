"""Golden values that Keras on TensorFlow printed (keras-semantics §8): Keras on torch is wrong in some of them."""

from __future__ import annotations

import pytest
import torch

from scene_lightning import layers


def image(*values: float, side: int = 4) -> torch.Tensor:
    return torch.tensor(values).reshape(1, side, -1, 1)


def test_average_counts_real_pixels_only() -> None:
    row = torch.tensor([1.0, 2.0, 6.0]).reshape(1, 1, 3, 1)
    assert layers.AveragePooling2D((1, 2), padding="same")(row).flatten().tolist() == [1.5, 6.0]
    counted = layers.AveragePooling2D(3, 2, padding="same")(image(*map(float, range(16))))
    assert counted.flatten().tolist() == pytest.approx([5.0, 6.5, 11.0, 12.5])


def test_max_ignores_padding() -> None:
    pooled = layers.MaxPooling2D(3, 2, padding="same")(image(*(-float(n) for n in range(1, 17))))
    assert pooled.flatten().tolist() == [-1.0, -3.0, -9.0, -11.0]


@pytest.mark.parametrize(("side", "expected"), [(8, [12, 234, 456, 670]), (7, [1, 123, 345, 560])])
def test_same_convolution_pads_the_odd_pixel_after(side: int, expected: list[int]) -> None:
    layer = layers.Conv1D(1, 3, strides=2, padding="same", use_bias=False)
    layer.build((None, side, 1))
    layer.set_weights([torch.tensor([100.0, 10.0, 1.0]).reshape(3, 1, 1)])
    assert layer(torch.arange(float(side)).reshape(1, side, 1)).flatten().tolist() == expected
