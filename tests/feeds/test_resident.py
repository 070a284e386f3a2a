"""Images that stay on the device: the same batches, picked there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.sources import ArraySource
from scene_lightning.feeds import images as feed_module
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.resident import can_reside, copy_to

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (23, 8, 6, 3), dtype=np.uint8)


def make_feed() -> ImageFeed:
    ranges = AugmentRanges(zoom_range=(0.8, 1.2), shear_range=0.2, horizontal_flip=True)
    return ImageFeed(
        ArraySource(IMAGES), np.arange(23), batch_size=5, shuffle=True, seed=3, training=True, augment=ranges
    )


def read(feed: Any, epoch: int) -> list[tuple[Any, ...]]:
    return [feed.to_device_batch(batch.to(CPU), epoch, True) for batch in feed.batches(epoch)]


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_the_copy_holds_every_image_in_order(chunk: int) -> None:
    np.testing.assert_array_equal(copy_to(ArraySource(IMAGES), CPU, chunk).numpy(), IMAGES)


def test_batches_are_the_same_and_carry_no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "can_reside", lambda source, device: True)
    plain, resident = make_feed(), make_feed()
    resident.keep_on(CPU)
    for epoch in range(2):
        for batch in resident.batches(epoch):
            assert batch.resident
            assert batch.images.ndim == 1
        for (x, y, _), (their_x, their_y, _) in zip(read(resident, epoch), read(plain, epoch), strict=True):
            assert torch.equal(x, their_x)
            assert torch.equal(y, their_y)


def test_the_host_keeps_reading_for_itself() -> None:
    assert not can_reside(ArraySource(IMAGES), CPU)
    feed = make_feed()
    feed.keep_on(CPU)
    assert not any(batch.resident for batch in feed.batches(0))


def test_a_function_on_the_host_needs_the_pixels_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "can_reside", lambda source, device: True)
    feed = ImageFeed(ArraySource(IMAGES), host_function=lambda image: image, batch_size=5)
    feed.keep_on(CPU)
    assert not any(batch.resident for batch in feed.batches(0))


def small_model() -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential([layers.Input((8, 6, 3)), layers.Flatten(), layers.Dense(23, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_training_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_model().fit(make_feed(), epochs=2, verbose=0).history["loss"]
    monkeypatch.setattr(feed_module, "can_reside", lambda source, device: True)
    assert small_model().fit(make_feed(), epochs=2, verbose=0).history["loss"] == plain


@pytest.mark.cuda
def test_a_gpu_holds_them() -> None:
    device = torch.device("cuda", 0)
    feed = make_feed()
    feed.keep_on(device)
    for epoch in range(2):
        theirs = read(make_feed(), epoch)
        for batch, (x, _, _) in zip(feed.batches(epoch), theirs, strict=True):
            assert batch.resident
            found, _, _ = feed.to_device_batch(batch.to(device), epoch, True)
            torch.testing.assert_close(found.cpu(), x, rtol=1e-4, atol=0.02)
