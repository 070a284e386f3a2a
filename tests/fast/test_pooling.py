"""Max-pooling by whole rows and columns: the same values as torch's, wherever a model predicts so."""

from __future__ import annotations

import pytest
import torch

from scene_lightning import fast
from scene_lightning.fast import pooling
from scene_lightning.layers import Input, MaxPooling2D, ReLU
from scene_lightning.models import Sequential


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("sides", [(6, 8), (7, 9)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_prediction_pools_the_same_values(dtype, sides, joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_BLOCK", 2000)
    taken: list[tuple[int, ...]] = []
    own = pooling.largest_of_windows
    monkeypatch.setattr(
        "scene_lightning.fast.reordering.largest_of_windows",
        lambda images: taken.append(tuple(images.shape)) or own(images),
    )
    images = torch.randn(5, *sides, 16).to(dtype)
    images[0, 0, 0, 0], images[1, 2, 3, 4], images[2, 1] = float("nan"), float("inf"), -float("inf")
    images[3] = images[3].round()  # many that are equal
    model = Sequential(
        [
            Input((*sides, 16)),
            *([ReLU()] if joined else []),
            MaxPooling2D(dtype="bfloat16" if dtype is torch.bfloat16 else None),
        ]
    )
    with torch.no_grad():
        ours = fast.call(model, images, False)
        assert taken == [(5, *sides, 16)]
        with fast.plain_paths():
            plain = fast.call(model, images, False)
    assert torch.equal(ours.nan_to_num(7), plain.nan_to_num(7)) and torch.equal(ours.isnan(), plain.isnan())
    assert ours.dtype == plain.dtype == dtype and len(taken) == 1


def test_training_pools_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_BLOCK", 1)
    pool, images = MaxPooling2D(), torch.randn(2, 4, 4, 16)
    assert pooling.worth_it(pool, images)
    assert not pooling.worth_it(pool, images.requires_grad_())
    for other in (MaxPooling2D(3), MaxPooling2D(2, 1), MaxPooling2D(data_format="channels_first")):
        assert not pooling.worth_it(other, images.detach())
