"""Masks from whole random integers: the rate, the scale, the gradient and the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import fast
from scene_lightning.fast.dropout import WORST_RATE_ERROR, IntegerDropout, kept, worth_it
from scene_lightning.layers import Dropout, Input
from scene_lightning.models import Sequential


@pytest.mark.parametrize("rate", [0.001, 0.2, 1 / 3, 0.5, 0.9])
def test_the_share_dropped_is_the_rate_within_the_stated_bound(rate: float) -> None:
    torch.manual_seed(0)
    count = 4_000_000
    mask, scale = kept((count,), rate)
    true_rate = 1 - 1 / scale
    assert abs(true_rate - rate) <= WORST_RATE_ERROR
    dropped = 1 - mask.float().mean().item()
    assert abs(dropped - true_rate) < 5 * (true_rate * (1 - true_rate) / count) ** 0.5


def test_masks_are_independent_over_places_and_over_calls() -> None:
    torch.manual_seed(1)
    first, second = (kept((500_000,), 0.3)[0].numpy().astype(float) for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(first[lag:], first[:-lag])[0, 1]) < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_kept_values_are_scaled_and_the_gradient_has_the_same_gaps(dtype: torch.dtype) -> None:
    values = torch.ones(40, 30, 20, dtype=dtype, requires_grad=True)
    outputs = IntegerDropout.apply(values, 0.25)
    (gradient,) = torch.autograd.grad(outputs.sum(), values)
    assert outputs.dtype == dtype
    assert torch.equal(gradient, outputs)
    assert set(outputs.unique().tolist()) == {0.0, torch.tensor(4 / 3, dtype=dtype).item()}


def test_a_seed_means_the_same_masks() -> None:
    model = Sequential([Input((32, 32, 64)), Dropout(0.4)])
    images = torch.ones(2, 32, 32, 64)
    keras.utils.set_random_seed(3)
    first, second = model(images, training=True), model(images, training=True)
    keras.utils.set_random_seed(3)
    assert torch.equal(model(images, training=True), first)
    assert not torch.equal(first, second)
    assert torch.equal(model(images, training=False), images)


def test_a_layer_with_a_seed_of_its_own_keeps_the_plain_masks() -> None:
    images = torch.ones(2, 32, 32, 64)
    outputs = []
    for enabled in (True, False):
        model = Sequential([Input((32, 32, 64)), Dropout(0.4, seed=7)])
        if enabled:
            outputs.append(model(images, training=True))
        else:
            with fast.plain_paths():
                outputs.append(model(images, training=True))
    assert torch.equal(*outputs)


def test_the_number_of_threads_does_not_change_the_masks() -> None:
    before, masks = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(5)
            masks.append(kept((3, 700_001), 0.2)[0])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*masks)


def test_small_tensors_and_impossible_rates_are_left_to_torch() -> None:
    assert worth_it(torch.ones(2**14), 0.5)
    assert not worth_it(torch.ones(2**14 - 1), 0.5)
    assert not worth_it(torch.ones(2**14), 1e-6)
