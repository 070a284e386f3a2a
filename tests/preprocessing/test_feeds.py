"""The batched feeds of the iterators: the same images as the per-call path, whatever the generator does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.errors import InputError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.per_call import PerCallFeed
from scene_lightning.preprocessing.image import DirectoryIterator, ImageDataGenerator

STRONG: dict[str, Any] = {
    "rotation_range": 30,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "brightness_range": (0.6, 1.3),
}


def read(feed: Any, epoch: int = 0, training: bool = False) -> tuple[np.ndarray, Any, Any]:
    """All of an epoch: images, labels, weights."""
    batches = [feed.to_device_batch(batch, epoch, training) for batch in feed.batches(epoch)]
    x, y, weight = zip(*batches, strict=True)

    def join(parts: Any) -> Any:
        if parts[0] is None:
            return None
        if isinstance(parts[0], list):
            return [join(part) for part in zip(*parts, strict=True)]
        return torch.cat(parts).numpy()

    return join(x), join(y), join(weight)


@pytest.mark.parametrize(
    "options",
    [
        {"rescale": 1 / 255},
        {"rescale": 0.5, "samplewise_center": True, "samplewise_std_normalization": True},
        {"preprocessing_function": lambda image: image[..., ::-1] - 100, "rescale": 1 / 127.5},
        {"data_format": "channels_first", "rescale": 1 / 255},
        {"data_format": "channels_first", "preprocessing_function": lambda image: image - image[:1]},
    ],
)
def test_feed_gives_what_the_calls_give(scenes: Path, options: dict[str, Any]) -> None:
    flow = ImageDataGenerator(**options).flow_from_directory(scenes, (20, 24), batch_size=5, shuffle=False)
    feed = flow.lightning_feed(training=False)
    assert isinstance(feed, ImageFeed) and feed.steps == len(flow) and feed.samples == flow.n
    x, y, weight = read(feed)
    expected = [flow[i] for i in range(len(flow))]
    np.testing.assert_allclose(x, np.concatenate([one[0] for one in expected]), atol=1e-5)
    np.testing.assert_array_equal(y, np.concatenate([one[1] for one in expected]))
    assert y.dtype == np.float32 and weight is None


@pytest.mark.parametrize("function", [None, lambda image: image / 2])
def test_augmented_feed_applies_the_drawn_parameters(scenes: Path, function: Any) -> None:
    """Each image of the feed is Keras' `apply_transform` of that image with the feed's own parameters."""
    generator = ImageDataGenerator(**STRONG, rescale=1 / 255, preprocessing_function=function)
    flow = generator.flow_from_directory(scenes, (20, 24), batch_size=4, seed=9)
    x, _, _ = read(flow.lightning_feed(training=True), 2, True)
    order = flow.index_array
    assert order is not None
    plain = ImageDataGenerator().flow_from_directory(scenes, (20, 24), batch_size=100, shuffle=False)[0][0]
    params = generator.ranges().draw(9, 2, np.asarray(order), 20, 24)
    for row, index in enumerate(order):
        parameters = {name: getattr(params, name)[row] for name in ("theta", "zx", "zy", "brightness")}
        parameters["flip_horizontal"] = params.flip_h[row]
        expected = generator.standardize(generator.apply_transform(plain[index].copy(), parameters))
        assert (np.abs(x[row] - expected) > 1e-3).mean() < 0.01


def test_feed_repeats_with_a_seed_and_with_numpys(scenes: Path) -> None:
    def epoch(seed: int | None, number: int) -> np.ndarray:
        np.random.seed(1)
        flow = ImageDataGenerator(**STRONG).flow_from_directory(scenes, (10, 10), seed=seed)
        return read(flow.lightning_feed(True), number, True)[0]

    for seed in (None, 4):
        np.testing.assert_array_equal(epoch(seed, 0), epoch(seed, 0))
        assert not np.array_equal(epoch(seed, 0), epoch(seed, 1))


def test_order_follows_keras(scenes: Path) -> None:
    """A shuffling iterator is shuffled in evaluation too; one that is not has its batches shuffled by fit."""
    generator = ImageDataGenerator()
    shuffled = generator.flow_from_directory(scenes, (8, 8), class_mode="sparse", seed=1)
    labels = read(shuffled.lightning_feed(training=False))[1]
    assert shuffled.index_array is not None
    np.testing.assert_array_equal(labels, shuffled.classes[shuffled.index_array])
    ordered = generator.flow_from_directory(scenes, (8, 8), shuffle=False, batch_size=4, seed=1)
    for training, shuffle in ((False, True), (True, False)):
        feed = ordered.lightning_feed(training, shuffle)
        assert np.concatenate(feed.plan(0)).tolist() == list(range(ordered.n))
    plans = [ordered.lightning_feed(True).plan(epoch) for epoch in range(5)]
    assert {tuple(sorted(batch[0] for batch in plan)) for plan in plans} == {(0, 4, 8, 12)}
    assert len({tuple(batch[0] for batch in plan) for plan in plans}) > 1


def test_arrays_travel_as_bytes_when_they_are() -> None:
    x = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), dtype=np.uint8)
    for data_format, images in (("channels_last", x), ("channels_first", x.transpose(0, 3, 1, 2))):
        flow = ImageDataGenerator(rescale=1 / 255, data_format=data_format).flow(images, np.arange(7), shuffle=False)
        feed = flow.lightning_feed(False)
        assert next(iter(feed.batches(0))).images.dtype == torch.uint8
        np.testing.assert_allclose(read(feed)[0], images / 255.0, atol=1e-6)
    floats = ImageDataGenerator().flow(x / 255.0, sample_weight=None, shuffle=False).lightning_feed(False)
    np.testing.assert_allclose(read(floats)[0], x / 255.0, atol=1e-6)


def test_featurewise_and_whitening(scenes: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (20, 4, 5, 3)).astype(np.float32)
    for options in (
        {"featurewise_center": True, "featurewise_std_normalization": True},
        {"featurewise_center": True, "zca_whitening": True},
    ):
        generator = ImageDataGenerator(**options)
        generator.fit(x)
        flow = generator.flow(x, shuffle=False, batch_size=20)
        np.testing.assert_allclose(read(flow.lightning_feed(False))[0], flow[0], atol=2e-3)


@pytest.mark.parametrize(
    "options, shapes",
    [
        ({"class_mode": "multi_output", "y_col": ["number", "other"]}, [(3,), (3,)]),
        ({"class_mode": "raw", "y_col": ["number", "other"]}, (3, 2)),
        ({"class_mode": "categorical", "y_col": "several"}, (3, 2)),
        ({"class_mode": "input"}, (3, 8, 9, 3)),
        ({"class_mode": None}, None),
    ],
)
def test_dataframe_targets(scenes: Path, options: dict[str, Any], shapes: Any) -> None:
    frame = pd.DataFrame(
        {
            "filename": [str(scenes / "glacier" / f"{n}.jpg") for n in (1, 2, 3)],
            "number": [0.5, 1, 2],
            "other": [1, 2, 3],
            "several": [["a"], ["a", "b"], ["b"]],
            "weight": [1.0, 2.0, 3.0],
        }
    )
    flow = ImageDataGenerator().flow_from_dataframe(
        frame, target_size=(8, 9), shuffle=False, weight_col="weight", **options
    )
    _, y, weight = read(flow.lightning_feed(False))
    found = [one.shape for one in y] if isinstance(y, list) else None if y is None else y.shape
    assert found == shapes and weight.tolist() == [1, 2, 3]
    if shapes == (3, 2) and options["class_mode"] == "categorical":
        np.testing.assert_array_equal(y, flow[0][1])


def test_names_as_raw_labels_are_refused(scenes: Path) -> None:
    frame = pd.DataFrame({"filename": [str(scenes / "glacier" / "1.jpg")], "class": ["glacier"]})
    flow = ImageDataGenerator().flow_from_dataframe(frame, class_mode="raw")
    with pytest.raises(InputError, match="must be numbers"):
        flow.lightning_feed(True)


class Inverted(ImageDataGenerator):
    def standardize(self, x: np.ndarray) -> np.ndarray:
        return 255 - super().standardize(x)


class Labelless(DirectoryIterator):
    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        return super()._get_batches_of_transformed_samples(index_array)[0] * 0


def test_changed_methods_are_called(scenes: Path, tmp_path: Path) -> None:
    """A subclass' methods, saved pictures, other inputs: the iterator's own calls are made."""
    inverted = Inverted().flow_from_directory(scenes, (8, 8), shuffle=False)
    labelless = Labelless(scenes, ImageDataGenerator(), (8, 8))
    saving = ImageDataGenerator().flow_from_directory(scenes, (8, 8), save_to_dir=str(tmp_path), batch_size=5)
    x = np.zeros((4, 5, 5, 3))
    two_inputs = ImageDataGenerator().flow((x, [np.arange(4)]), np.arange(4))
    patched = ImageDataGenerator()
    patched.random_transform = lambda x, seed=None: x  # type: ignore[method-assign]
    feeds = [
        flow.lightning_feed(False) for flow in (inverted, labelless, saving, two_inputs, patched.flow(x, np.arange(4)))
    ]
    assert all(isinstance(feed, PerCallFeed) for feed in feeds)
    np.testing.assert_allclose(read(feeds[0])[0], inverted[0][0])
    assert read(feeds[1])[0].max() == 0
    read(feeds[2])
    assert len(list(tmp_path.glob("_*.png"))) == saving.n
    images, others = read(feeds[3])[0]
    assert images.shape == x.shape and sorted(others.tolist()) == [0, 1, 2, 3]


def test_a_changed_file_is_read_again(scenes: Path) -> None:
    flow = ImageDataGenerator().flow_from_directory(scenes, (8, 8), shuffle=False)
    first = read(flow.lightning_feed(True, shuffle=False))[0]
    again = read(flow.lightning_feed(True, shuffle=False))[0]
    np.testing.assert_array_equal(first, again)
    Path(flow.filepaths[0]).write_bytes(Path(flow.filepaths[3]).read_bytes())
    changed = read(flow.lightning_feed(True, shuffle=False))[0]
    assert not np.array_equal(first[0], changed[0])


def test_image_info_names_what_prediction_needs(scenes: Path) -> None:
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(scenes, (8, 9), "grayscale", ["glacier", "Sea"])
    assert flow.image_info() == {
        "class_names": ["glacier", "Sea"],
        "input_size": [8, 9],
        "rescale": 1 / 255,
        "color_mode": "grayscale",
        "interpolation": "nearest",
        "fit": "stretch",
    }


def test_ranges_carry_every_option() -> None:
    generator = ImageDataGenerator(**STRONG, fill_mode="wrap", cval=3, interpolation_order=0, width_shift_range=[1, 2])
    assert generator.ranges() == AugmentRanges(
        rotation_range=30,
        zoom_range=(0.7, 1.3),
        horizontal_flip=True,
        brightness_range=(0.6, 1.3),
        fill_mode="wrap",
        cval=3,
        order=0,
        width_shift_range=[1, 2],
        height_shift_range=0.0,
    )
