"""What a feed gives: each image once, the same in every run, on any number of devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.scan import scan_folder
from scene_lightning.data.sources import ArraySource, FileSource
from scene_lightning.data.standardize import Standardize
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.base import FeedModule
from scene_lightning.feeds.folder import ImageFolderDataModule
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.prefetch import prefetched

SPEC = DecodeSpec((12, 10))


def read(feed: Any, epoch: int = 0, training: bool = True, rank: int = 0, world_size: int = 1) -> list[Any]:
    """(indices, x, y, weight) of every batch."""
    return [
        (batch.indices, *feed.to_device_batch(batch.to("cpu"), epoch, training))
        for batch in feed.batches(epoch, rank, world_size)
    ]


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 6, 3), dtype=np.uint8)


def test_same_numbers_in_every_run_and_new_ones_each_epoch() -> None:
    def make() -> ImageFeed:
        return ImageFeed(
            ArraySource(images(20)),
            np.arange(20),
            batch_size=8,
            shuffle=True,
            seed=4,
            training=True,
            augment=AugmentRanges(rotation_range=30, horizontal_flip=True),
            standardize=Standardize(rescale=1 / 255),
        )

    first, again, later = read(make(), 3), read(make(), 3), read(make(), 4)
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one[1], two[1]) and torch.equal(one[2], two[2])
    assert [len(one[1]) for one in first] == [8, 8, 4]
    assert not np.array_equal(first[0][0], later[0][0])
    assert first[0][1].dtype == torch.float32 and first[0][1].max() <= 1


def test_augmentation_does_not_depend_on_batch_or_device() -> None:
    ranges = AugmentRanges(rotation_range=30, zoom_range=(0.7, 1.3))
    by_index: list[dict[int, torch.Tensor]] = []
    for batch_size, world_size in ((3, 1), (5, 2)):
        feed = ImageFeed(
            ArraySource(images(12)), batch_size=batch_size, shuffle=True, seed=1, training=True, augment=ranges
        )
        found = {}
        for rank in range(world_size):
            for indices, x, _, _ in read(feed, 2, True, rank, world_size):
                found.update(zip(indices.tolist(), x, strict=True))
        by_index.append(found)
    for index in range(12):
        torch.testing.assert_close(by_index[0][index], by_index[1][index])


def test_validation_is_not_augmented_unless_asked() -> None:
    plain = images(6)
    ranges = AugmentRanges(rotation_range=30)
    for always in (False, True):
        feed = ImageFeed(ArraySource(plain), augment=ranges, augment_always=always, batch_size=6)
        (_, x, y, weight) = read(feed, training=False)[0]
        assert np.array_equal(x.numpy(), plain) is not always
        assert y is None and weight is None


def test_labels_weights_and_inputs_as_targets() -> None:
    weighted = ImageFeed(
        ArraySource(images(5)), np.arange(5), sample_weight=np.arange(5) / 2, shuffle=True, batch_size=3
    )
    for indices, _, y, weight in read(weighted):
        assert y.tolist() == indices.tolist() and weight.tolist() == (indices / 2).tolist()
    _, x, y, _ = read(ImageFeed(ArraySource(images(4)), "input"))[0]
    assert torch.equal(x, y)
    several = read(ImageFeed(ArraySource(images(4)), [np.arange(4), np.ones((4, 2))]))[0][2]
    assert [tuple(one.shape) for one in several] == [(4,), (4, 2)]
    with pytest.raises(InputError, match="must be numbers"):
        ImageFeed(ArraySource(images(2)), np.array(["sea", "forest"]))
    with pytest.raises(DataError, match="one target an image"):
        ImageFeed(ArraySource(images(2)), np.arange(3))


def test_shuffled_batches_keep_their_members() -> None:
    feed = ImageFeed(ArraySource(images(10)), batch_size=4, shuffle="batches", seed=2)
    orders = [[tuple(one[0]) for one in read(feed, epoch)] for epoch in range(6)]
    assert {frozenset(order) for order in orders} == {frozenset({(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)})}
    assert len({tuple(order) for order in orders}) > 1


def test_host_function_sees_each_augmented_image_once() -> None:
    seen: list[tuple[int, ...]] = []

    def double(image: np.ndarray) -> np.ndarray:
        seen.append(image.shape)
        return image * 2

    feed = ImageFeed(ArraySource(images(5)), batch_size=2, host_function=double, standardize=Standardize(rescale=0.5))
    batches = read(feed)
    np.testing.assert_allclose(torch.cat([one[1] for one in batches]).numpy(), images(5))
    assert seen == [(8, 6, 3)] * 5
    with pytest.raises(InputError, match="keep an image's shape"):
        read(ImageFeed(ArraySource(images(2)), host_function=lambda image: image[:2]))


def test_standardize_acts_per_image_and_per_channel() -> None:
    x = torch.from_numpy(images(3))
    plain = x.float().numpy()
    out = Standardize(samplewise_center=True, samplewise_std=True)(x).numpy()
    expected = [(one - one.mean()) / (one.std() + 1e-6) for one in plain]
    np.testing.assert_allclose(out, expected, atol=1e-5)
    mean, std = plain.mean((0, 1, 2), keepdims=True)[0], plain.std((0, 1, 2), keepdims=True)[0]
    np.testing.assert_allclose(Standardize(mean=mean, std=std)(x), (plain - mean) / (std + 1e-6), atol=1e-5)


def test_unreadable_files_stop_or_are_left_out(scenes: Path) -> None:
    (scenes / "sea" / "2.jpg").write_bytes(b"broken")
    table = scan_folder(str(scenes))
    with pytest.raises(DataError, match=r"sea/2\.jpg"):
        read(ImageFeed.from_paths(table.paths, SPEC))
    labels = (table.labels, len(table.class_names), "categorical")
    feed = ImageFeed.from_paths(table.paths, SPEC, *labels, batch_size=4, skip_unreadable=True)
    batches = read(feed)
    assert sum(len(one[1]) for one in batches) == 14
    assert [Path(path).name for path in feed.unreadable] == ["2.jpg"]
    for indices, _, y, _ in batches:
        np.testing.assert_array_equal(y.argmax(1), table.labels[indices])


def test_remembered_files_are_read_once(scenes: Path) -> None:
    table = scan_folder(str(scenes))
    feed = ImageFeed(FileSource(table.paths, SPEC, keep_after=0), batch_size=4)
    first = torch.cat([one[1] for one in read(feed)])
    for path in table.paths:
        Path(path).unlink()
    assert torch.equal(first, torch.cat([one[1] for one in read(feed, 1)]))


def test_leaving_early_stops_the_thread() -> None:
    for batch in ImageFeed(ArraySource(images(30)), batch_size=1).batches(0):
        assert len(batch) == 1
        break
    assert not [thread for thread in threading.enumerate() if thread.name == "scene-lightning-prefetch"]


def test_errors_in_the_thread_are_raised_outside() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    items = prefetched(broken, 2)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)


class _Probe(L.LightningModule):
    """A network that notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shapes: list[tuple[str, tuple[int, ...], float]] = []

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        x, _y, _ = batch
        self.shapes.append(("train", tuple(x.shape), float(x.max())))
        return self.weight * x.mean()

    def validation_step(self, batch: Any, _: int) -> None:
        self.shapes.append(("validate", tuple(batch[0].shape), float(batch[0].max())))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def _trainer() -> L.Trainer:
    return L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def test_a_lightning_trainer_takes_the_folder_module(scenes: Path) -> None:
    data = ImageFolderDataModule(
        scenes, target_size=(12, 10), batch_size=4, augment={"horizontal_flip": True}, cache="ram", val_split=0.25
    )
    assert data.class_names == ["forest", "glacier", "sea"] and data.num_classes == 3
    assert data.input_size == (12, 10) and data.image_info()["rescale"] == pytest.approx(1 / 255)
    probe = _Probe()
    _trainer().fit(probe, datamodule=data)
    assert [shape for kind, shape, _ in probe.shapes if kind == "train"] == [(4, 12, 10, 3)] * 2 + [(3, 12, 10, 3)]
    assert sum(shape[0] for kind, shape, _ in probe.shapes if kind == "validate") == 4
    assert all(0 < highest <= 1 for _, _, highest in probe.shapes)


def test_module_length_is_that_of_one_device() -> None:
    module = FeedModule(train=ImageFeed(ArraySource(images(10)), batch_size=2, training=True))
    module.rank_and_world_size = lambda: (0, 2)  # type: ignore[method-assign]
    assert len(module.train_dataloader()) == 5  # as on one device


@pytest.mark.cuda
def test_batches_are_pinned_and_augmented_on_the_gpu() -> None:
    feed = ImageFeed(
        ArraySource(images(8)),
        np.arange(8),
        augment=AugmentRanges(rotation_range=20),
        augment_always=True,
        batch_size=8,
    )
    feed.pins = True  # as where the images do not fit on the GPU
    batch = next(iter(feed.batches(0)))
    assert batch.images.is_pinned() and batch.targets.is_pinned()
    x, y, _ = feed.to_device_batch(batch.to("cuda"), 0, True)
    on_cpu = read(feed)[0]
    assert x.is_cuda and y.is_cuda
    torch.testing.assert_close(x.cpu(), on_cpu[1], atol=0.01, rtol=0)
