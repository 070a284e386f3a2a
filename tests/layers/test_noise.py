"""What dropout and noise layers do in training: which values they change, how much, and along which axes alike."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scene_lightning import layers

RATES = st.floats(0.05, 0.9)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


@given(rate=RATES, seed=st.integers(0, 1000))
def test_dropout_drops_its_share_and_scales_the_rest(rate: float, seed: int) -> None:
    found = layers.Dropout(rate, seed=seed)(ones(40, 50), training=True)
    kept = found != 0
    torch.testing.assert_close(found[kept], torch.full_like(found[kept], 1 / (1 - rate)))
    assert stats.binomtest(int(kept.sum()), kept.numel(), 1 - rate).pvalue > 1e-6


@given(rate=RATES, shared=st.sets(st.sampled_from([0, 1, 2])), seed=st.integers(0, 1000))
def test_a_noise_shape_is_shared_along_its_ones(rate: float, shared: set[int], seed: int) -> None:
    shape = (3, 4, 5)
    mask = [1 if axis in shared else None for axis in range(3)]
    for cls in (layers.Dropout, layers.AlphaDropout):
        found = cls(rate, noise_shape=mask, seed=seed)(ones(*shape), training=True)
        assert found.shape == shape
        for axis in shared:
            assert torch.equal(found, found.narrow(axis, 0, 1).expand(shape))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_spatial_dropout_drops_whole_maps(rank: int, data_format: str) -> None:
    sides = (2, 3, 4)[:rank]
    options = {} if rank == 1 else {"data_format": data_format}
    first = rank > 1 and data_format == "channels_first"
    shape = (20, 30, *sides) if first else (20, *sides, 30)
    found = getattr(layers, f"SpatialDropout{rank}D")(0.4, seed=1, **options)(ones(*shape), training=True)
    maps = found.flatten(2) if first else found.flatten(1, -2).transpose(1, 2)
    assert torch.equal(maps, maps[..., :1].expand_as(maps))
    assert stats.binomtest(int((maps[..., 0] != 0).sum()), 600, 0.6).pvalue > 1e-6


NOISY: list[tuple[str, dict[str, Any]]] = [
    ("GaussianNoise", {"stddev": 0.3}),
    ("GaussianDropout", {"rate": 0.3}),
    ("AlphaDropout", {"rate": 0.3}),
    ("Dropout", {"rate": 0.3}),
]


@pytest.mark.parametrize(("name", "config"), NOISY)
def test_the_distribution_is_keras(name: str, config: dict[str, Any]) -> None:
    inputs = torch.randn(60, 80, generator=torch.Generator().manual_seed(77)) + 1
    ours = getattr(layers, name)(seed=1, **config)(inputs, training=True).numpy().ravel()
    theirs = keras.ops.convert_to_numpy(getattr(keras.layers, name)(seed=2, **config)(inputs, training=True)).ravel()
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.05)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


def test_rates_of_zero_and_one() -> None:
    inputs = torch.randn(3, 4)
    for name in ("Dropout", "AlphaDropout", "SpatialDropout1D"):
        given_inputs = inputs if name != "SpatialDropout1D" else inputs[:, :, None]
        assert torch.equal(getattr(layers, name)(0.0)(given_inputs, training=True), given_inputs)
    np.testing.assert_array_equal(layers.Dropout(1.0)(inputs, training=True), np.zeros((3, 4)))
