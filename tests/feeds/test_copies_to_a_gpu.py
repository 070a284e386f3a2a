"""What crosses from the host to a GPU in a training step: it comes from page-locked memory, in as few copies as can be.

No GPU is needed: the meta device stands for it, and memory counts as page-locked where this package asked for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import scene_lightning as keras
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.progressive_sizes import ProgressiveSizes
from scene_lightning.data.sources import ArraySource
from scene_lightning.data.standardize import Standardize
from scene_lightning.feeds import arrays, packing
from scene_lightning.feeds import images as image_feeds
from scene_lightning.feeds.arrays import ArrayFeed, Positions
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.images import ImageFeed

META, CPU = torch.device("meta"), torch.device("cpu")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 8, 6, 3), dtype=np.uint8)
FLOATS, LABELS, WEIGHTS = (PIXELS / 255).astype(np.float32), np.arange(20) % 4, np.linspace(0, 1, 20)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[torch.Tensor], bool]:
    """As if there were a GPU; says whether a tensor lies in memory that was asked for as page-locked."""
    kept: list[torch.Tensor] = []  # so that no address is used twice

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    def is_locked(tensor: torch.Tensor) -> bool:
        return any(tensor.untyped_storage().data_ptr() == one.untyped_storage().data_ptr() for one in kept)

    monkeypatch.setattr(packing, "can_pin", lambda device: True)
    monkeypatch.setattr(packing, "pinned_empty", lambda shape, dtype: note(torch.empty(tuple(shape), dtype=dtype)))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self if is_locked(self) else note(self.clone()))
    return is_locked


class Crossings(TorchDispatchMode):
    """Notes the tensors of the host that operations copy to, or read on, the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[torch.Tensor] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if any(tensor.device == META for tensor in made):
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
            self.tensors += [tensor for tensor in given if tensor.device == CPU]
        return result


def image_feed(**options: Any) -> ImageFeed:
    ranges = AugmentRanges(
        rotation_range=9, zoom_range=(0.8, 1.2), horizontal_flip=True, brightness_range=(0.5, 1.5),
        channel_shift_range=9, contrast_range=0.2, saturation_range=0.2,
    )  # fmt: skip
    options = {
        "augment": ranges, "sample_weight": WEIGHTS, "batch_size": 5, "shuffle": True, "seed": 3, "training": True,
        "standardize": Standardize(1 / 255, mean=np.full((1, 1, 3), 0.1), std=np.full((1, 1, 3), 0.2)), **options,
    }  # fmt: skip
    return ImageFeed(ArraySource(PIXELS), LABELS, **options)


def flips_only() -> ImageFeed:
    return image_feed(augment=AugmentRanges(horizontal_flip=True, vertical_flip=True))


def growing() -> ImageFeed:
    return image_feed(progressive_sizes=ProgressiveSizes([(4, 3), (8, 6)], 2, (8, 6)))


class Batches(keras.utils.Sequence):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return FLOATS[index * 5 : index * 5 + 5], LABELS[index * 5 : index * 5 + 5]


def several() -> ArrayFeed:
    return ArrayFeed({"a": FLOATS, "b": torch.from_numpy(PIXELS)}, [LABELS, WEIGHTS], None, 5, True)


def loader() -> Feed:
    data = torch.utils.data.TensorDataset(torch.from_numpy(FLOATS), torch.from_numpy(LABELS))
    return as_feed(torch.utils.data.DataLoader(data, batch_size=5), training=True)


FEEDS: dict[str, Callable[[], Feed]] = {
    "images": image_feed,
    "flips": flips_only,
    "growing": growing,
    "without augmentation": lambda: image_feed(augment=None),
    "a function on the host": lambda: image_feed(host_function=lambda image: image / 2),
    "arrays": lambda: ArrayFeed(FLOATS, LABELS, WEIGHTS, 5, True),
    "numbers of other kinds": lambda: ArrayFeed(PIXELS.astype(np.float64), LABELS.astype(np.int16), None, 5, True),
    "several arrays": several,
    "sequence": lambda: as_feed(Batches(), training=True),
    "loader": loader,
    "steps of a generator": lambda: as_feed(iter([Batches()[0]] * 4), training=True, steps=2),
    "class weights": lambda: as_feed(FLOATS, LABELS, batch_size=5, training=True, class_weight={0: 2.0}),
}


def tensors_of(batch: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("name", FEEDS)
def test_batches_cross_from_page_locked_memory(
    name: str, resident: bool, locked: Callable[[torch.Tensor], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_feeds, "can_reside", lambda source, device: resident)
    monkeypatch.setattr(arrays, "has_room", lambda size, device: resident)
    feed = FEEDS[name]()
    crossed = []
    for epoch in range(2):
        feed.keep_on(META, passes=2 - epoch)
        for batch in feed.batches(epoch):
            with Crossings() as crossings:
                ready = feed.to_device_batch(move_data_to_device(batch, META), epoch, True)
            assert all(tensor.device == META for tensor in tensors_of(ready))
            crossed.append(crossings.tensors)
    for tensors in crossed[1:]:  # the first batch may take constants with it
        assert tensors and all(locked(tensor) for tensor in tensors)
        if resident and (isinstance(feed.innermost, ArrayFeed) or name in ("images", "flips", "growing")):
            assert len(tensors) == 1  # all in one


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("name", FEEDS)
def test_batches_are_what_they_are_without_a_gpu(name: str, resident: bool, request: pytest.FixtureRequest) -> None:
    def epochs() -> list[torch.Tensor]:
        keras.utils.set_random_seed(4)
        feed, found = FEEDS[name](), []
        for epoch in range(2):
            feed.keep_on(CPU, passes=2 - epoch)
            for batch in feed.batches(epoch):
                found += tensors_of(feed.to_device_batch(move_data_to_device(batch, CPU), epoch, True))
        return found

    plain = epochs()
    request.getfixturevalue("locked")
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setattr(image_feeds, "can_reside", lambda source, device: resident)
    monkeypatch.setattr(arrays, "has_room", lambda size, device: resident)
    found = epochs()
    assert len(found) == len(plain)
    for one, other in zip(found, plain, strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)


def test_a_step_copies_nothing_else(locked: Callable[[torch.Tensor], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, loss, gradients, optimizer and metrics, with weights of samples, too."""
    monkeypatch.setattr(image_feeds, "can_reside", lambda source, device: True)
    layers = keras.layers
    model = keras.Sequential([layers.Input((8, 6, 3)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(),
                              layers.BatchNormalization(), layers.Dropout(0.2), layers.Flatten(),
                              layers.Dense(4, activation="softmax")])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    model.to("meta")
    driver, feed = model.configure_optimizers(), image_feed()
    feed.keep_on(META)
    for epoch in range(2):
        for batch in feed.batches(epoch):
            with Crossings() as crossings:
                ready = feed.to_device_batch(move_data_to_device(batch, META), epoch, True)
                loss = model.training_step(ready, 0)
                driver.zero_grad()
                loss.backward()
                driver.step()
            if epoch:
                assert len(crossings.tensors) == 1 and locked(crossings.tensors[0])


class Recorder(keras.callbacks.Callback):
    """How many copies of the data a GPU would hold at the end of each epoch, and what it would be sent."""

    def __init__(self, feed: ArrayFeed) -> None:
        super().__init__()
        self.feed, self.resident = feed, []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.resident.append(self.feed._resident is not None)


def small_model(cls: Any = keras.Sequential) -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = cls([layers.Input((8, 6, 3)), layers.Flatten(), layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(("epochs", "expected"), [(1, [False]), (3, [True] * 3)])
def test_fit_keeps_arrays_for_several_epochs_alone(
    epochs: int, expected: list[bool], locked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "has_room", lambda size, device: True)
    feed = ArrayFeed(FLOATS, LABELS, WEIGHTS, 5, False)
    recorder = Recorder(feed)
    history = small_model().fit(feed, epochs=epochs, verbose=0, callbacks=[recorder]).history
    assert recorder.resident == expected
    assert feed._resident is None  # the run is over
    monkeypatch.undo()
    plain = small_model().fit(
        FLOATS, LABELS, sample_weight=WEIGHTS, batch_size=5, shuffle=False, epochs=epochs, verbose=0
    )
    assert history["loss"] == plain.history["loss"]


def test_hooks_of_the_users_own_see_the_data(locked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "has_room", lambda size, device: True)
    seen = []

    class Looking(keras.Sequential):
        def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            seen.append(batch)
            return batch

    small_model(Looking).fit(FLOATS, LABELS, batch_size=5, epochs=2, verbose=0)
    assert len(seen) == 8
    assert not any(isinstance(batch, Positions) for batch in seen)
    assert seen[0][0].shape == (5, 8, 6, 3)


def test_a_part_that_was_replaced_or_converted_is_moved_as_it_is(locked: Any) -> None:
    batch = next(iter(image_feed().batches(0)))
    weights = batch.sample_weight.double()
    batch.sample_weight, targets = weights, batch.targets
    moved = batch.to(CPU)
    assert torch.equal(moved.sample_weight, weights) and moved.sample_weight.dtype == torch.float64
    assert torch.equal(moved.targets, targets)


@pytest.mark.cuda
@pytest.mark.parametrize("name", FEEDS)
def test_a_gpu_gets_the_same_batches(name: str) -> None:
    def read(device: torch.device) -> Iterator[torch.Tensor]:
        keras.utils.set_random_seed(4)
        feed = FEEDS[name]()
        for epoch in range(2):
            feed.keep_on(device, passes=2 - epoch)
            for batch in feed.batches(epoch):
                yield from tensors_of(feed.to_device_batch(move_data_to_device(batch, device), epoch, True))

    for there, here in zip(list(read(torch.device("cuda", 0))), list(read(CPU)), strict=True):
        assert there.is_cuda
        torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=0.03)


@pytest.mark.cuda
@pytest.mark.parametrize("epochs", [1, 3])
def test_training_on_arrays_on_a_gpu(epochs: int) -> None:
    losses = {
        accelerator: small_model().fit(
            FLOATS, LABELS, sample_weight=WEIGHTS, batch_size=5, epochs=epochs, verbose=0, accelerator=accelerator,
            validation_data=(FLOATS, LABELS), devices=1,
        ).history
        for accelerator in ("cpu", "cuda")
    }  # fmt: skip
    for name, values in losses["cpu"].items():
        np.testing.assert_allclose(losses["cuda"][name], values, rtol=1e-3)


@pytest.mark.cuda
def test_a_step_on_a_gpu_waits_for_nothing() -> None:
    """CUDA's own watch on synchronisations: it raises where an operation waits for the device."""
    device = torch.device("cuda", 0)
    model = small_model().to(device)
    for feed in (image_feed(), ArrayFeed(FLOATS, LABELS, WEIGHTS, 5, True)):
        driver = model.configure_optimizers()
        for epoch in range(2):
            feed.keep_on(device, passes=2 - epoch)
            for batch in feed.batches(epoch):
                torch.cuda.set_sync_debug_mode("error" if epoch else "default")
                try:
                    ready = feed.to_device_batch(move_data_to_device(batch, device), epoch, True)
                    loss = model.training_step(ready, 0)
                    driver.zero_grad()
                    loss.backward()
                    driver.step()
                finally:
                    torch.cuda.set_sync_debug_mode("default")
