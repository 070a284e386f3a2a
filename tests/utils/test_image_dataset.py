"""Folders of images: files, labels, splits and messages against Keras' own index; pixels against known formulas."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from keras.src.utils import dataset_utils as theirs
from PIL import Image

import scene_lightning as keras
from scene_lightning.utils import image_dataset as ours
from scene_lightning.utils.resize import INTERPOLATIONS, crop_to_aspect, resize_image, resize_with_pad

read = keras.utils.image_dataset_from_directory
SMALL: dict[str, Any] = {"image_size": (6, 8), "verbose": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, one of them with a folder inside, a hidden folder, and files that are no images."""
    root = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    places = {"sea": 7, "forest": 5, "forest/deep": 2, "Glacier": 4, ".hidden": 2}
    for place, count in places.items():
        (root / place).mkdir(parents=True)
        for index in range(count):
            ending = (".png", ".PNG", ".bmp", ".jpg")[index % 4]
            pixels = rng.integers(0, 256, (5 + index, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / place / f"{index * 7 % 10}{ending}")
    (root / "sea" / "notes.txt").write_text("none")
    (root / "sea" / "scan.tif").write_bytes(b"not read")
    (root / "loose.txt").write_text("none")
    return root


class TestIndex:
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize("labels", ["inferred", None, list(range(18))], ids=["inferred", "none", "given"])
    @pytest.mark.parametrize("names", [None, ["sea", "Glacier"]])
    def test_same_files_labels_and_words(
        self, folder: Path, shuffle: bool, labels: Any, names: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if names and labels != "inferred":
            pytest.skip("class names go with inferred labels only")
        # The hidden folder counts when labels are given. Keras shuffles the caller's list itself, so each gets its own.
        mine, others = ([*labels, 0, 1] if isinstance(labels, list) else labels for _ in range(2))
        expected = theirs.index_directory(str(folder), others, ours.FORMATS, names, shuffle, 11)
        printed = capsys.readouterr().out
        found = ours.index_directory(str(folder), mine, ours.FORMATS, names, shuffle, 11)
        assert capsys.readouterr().out == printed
        assert found[0] == expected[0] and found[2] == expected[2]
        assert found[1] is expected[1] is None or list(found[1]) == list(expected[1])

    @pytest.mark.parametrize("part", ["training", "validation"])
    @pytest.mark.parametrize("share", [None, 0.2, 0.5, 0.99])
    def test_same_split(self, part: str, share: float | None, capsys: pytest.CaptureFixture[str]) -> None:
        files, labels = [f"f{i}" for i in range(18)], np.arange(18)
        expected = theirs.get_training_or_validation_split(files, labels, share, part)
        printed = capsys.readouterr().out
        found = ours.split_files(files, labels, share, part)
        assert capsys.readouterr().out == printed
        assert found[0] == expected[0] and list(found[1]) == list(expected[1])

    def test_a_share_of_less_than_one_file_is_refused(self) -> None:
        with pytest.raises(ValueError, match="less than one file"):
            ours.split_files(["a", "b"], None, 0.1, "training")

    @pytest.mark.parametrize(
        "arguments",
        [
            {"validation_split": 1.5, "subset": "training", "seed": 1},
            {"validation_split": 0.2},
            {"subset": "training"},
            {"validation_split": 0.2, "subset": "test", "seed": 1},
            {"validation_split": 0.2, "subset": "training"},
        ],
        ids=str,
    )
    def test_same_refusals_of_a_split(self, folder: Path, arguments: dict[str, Any]) -> None:
        full = {"validation_split": None, "subset": None, "shuffle": True, "seed": None, **arguments}
        with pytest.raises(ValueError) as expected:
            theirs.check_validation_split_arg(**full)
        with pytest.raises(ValueError) as found:
            read(folder, **arguments, **SMALL)
        assert str(found.value) == str(expected.value)

    @pytest.mark.parametrize(
        "arguments, words",
        [
            ({"labels": "guessed"}, "list/tuple of integer labels"),
            ({"labels": [1, 2]}, "len\\(labels\\) is 2"),
            ({"labels": [1], "class_names": ["sea"]}, "You can only pass `class_names`"),
            ({"labels": None, "class_names": ["sea"]}, "cannot be specified"),
            ({"class_names": ["lake"]}, "did not match"),
            ({"label_mode": "text"}, "`label_mode` argument must be one of"),
            ({"label_mode": "binary"}, "exactly 2 class_names"),
            ({"color_mode": "cmyk"}, "`color_mode` must be one of"),
            ({"interpolation": "magic"}, "`interpolation` should be one of"),
            ({"image_size": (3, 3, 3)}, "Expected a tuple of 2 integers"),
            ({"format": "numpy"}, "`format` should be"),
            ({"data_format": "sideways"}, "`data_format`"),
            ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
        ],
        ids=str,
    )
    def test_refusals(self, folder: Path, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            read(folder, **{**SMALL, **arguments})

    def test_no_images_and_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(ValueError, match="No images found in directory"):
            read(tmp_path, **SMALL)
        with pytest.raises(ValueError, match="No folder"):
            read(tmp_path / "nowhere", **SMALL)


class TestBatches:
    def test_shapes_types_and_attributes(self, folder: Path) -> None:
        dataset = read(folder, batch_size=4, **SMALL)
        images, labels = next(iter(dataset))
        assert images.shape == (4, 6, 8, 3) and images.dtype == torch.float32 and images.max() > 1
        assert labels.shape == (4,) and labels.dtype == torch.int32
        assert (
            dataset.class_names == ["Glacier", "forest", "sea"] and len(dataset.file_paths) == 18 and len(dataset) == 5
        )
        assert dataset.image_info["class_names"] == dataset.class_names and dataset.image_info["input_size"] == [6, 8]
        further = dataset.take(1).cache().prefetch(1)
        assert further.class_names == dataset.class_names and further.image_info is not None
        assert further.map(lambda x, y: (x / 255, y)).image_info is None
        assert images.numpy().astype("uint8").shape == (4, 6, 8, 3)

    @pytest.mark.parametrize("color_mode, channels", [("rgb", 3), ("rgba", 4), ("grayscale", 1)])
    def test_color_modes(self, folder: Path, color_mode: str, channels: int) -> None:
        assert next(iter(read(folder, color_mode=color_mode, **SMALL)))[0].shape[-1] == channels

    def test_label_modes(self, folder: Path) -> None:
        def labels(**arguments: Any) -> Any:
            return next(iter(read(folder, shuffle=False, batch_size=20, **SMALL, **arguments)))

        hot = labels(label_mode="categorical")[1]
        assert hot.dtype == torch.float32 and hot.sum(0).tolist() == [4, 7, 7]
        binary = labels(label_mode="binary", class_names=["sea", "forest"])[1]
        assert binary.shape == (14, 1) and binary.dtype == torch.float32 and binary.sum() == 7
        assert labels(label_mode=None).shape == (20, 6, 8, 3)  # the hidden folder counts when nothing is inferred
        assert labels(labels=None).ndim == 4

    def test_single_images_and_channels_first(self, folder: Path) -> None:
        image, label = next(iter(read(folder, batch_size=None, data_format="channels_first", **SMALL)))
        assert image.shape == (3, 6, 8) and label.ndim == 0

    def test_files_and_labels_go_together(self, folder: Path) -> None:
        dataset = read(folder, shuffle=False, batch_size=1, **SMALL)
        for path, (image, label) in zip(dataset.file_paths, dataset, strict=True):
            assert Path(path).relative_to(folder).parts[0] == dataset.class_names[int(label)]
            pixels = np.asarray(Image.open(path).convert("RGB")).astype(np.float32)
            expected = F.interpolate(torch.from_numpy(pixels).permute(2, 0, 1)[None], (6, 8), mode="bilinear")
            torch.testing.assert_close(image[0], expected[0].permute(1, 2, 0))

    def test_both_halves_hold_each_file_once(self, folder: Path) -> None:
        train, held_out = read(folder, validation_split=0.3, subset="both", seed=2, **SMALL)
        assert len(held_out.file_paths) == 5 and not set(train.file_paths) & set(held_out.file_paths)
        alone = read(folder, validation_split=0.3, subset="validation", seed=2, **SMALL)
        assert alone.file_paths == held_out.file_paths
        assert [y.tolist() for _, y in held_out] == [y.tolist() for _, y in held_out]

    def test_shuffled_anew_each_epoch_and_alike_by_seed(self, folder: Path) -> None:
        one, two = (read(folder, seed=9, batch_size=18, **SMALL) for _ in range(2))
        first, second = (next(iter(one))[0] for _ in range(2))
        assert not torch.equal(first, second)
        assert torch.equal(next(iter(two))[0], first)

    def test_a_broken_image_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "broken.png").write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"broken\.png"):
            list(read(tmp_path, **SMALL))

    def test_a_model_is_trained_from_a_folder(self, folder: Path) -> None:
        data = read(folder, batch_size=8, **SMALL)
        model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            history = model.fit(data, validation_data=data, epochs=2, verbose=0)
        assert len(history.history["val_accuracy"]) == 2

    def test_real_photographs(self, intel_dir: Path) -> None:
        dataset = read(intel_dir / "seg_test", image_size=(150, 150), seed=1, verbose=False)
        images, _ = next(iter(dataset))
        assert len(dataset.class_names) == 6 and images.shape == (32, 150, 150, 3)


class TestResize:
    @pytest.mark.parametrize("name", INTERPOLATIONS)
    @pytest.mark.parametrize("size", [(4, 6), (9, 13), (31, 17)])
    def test_a_flat_image_stays_flat(self, name: str, size: tuple[int, int]) -> None:
        resized = resize_image(torch.full((9, 13, 3), 77, dtype=torch.uint8), size, name)
        assert resized.shape == (*size, 3) and resized.dtype == torch.float32
        torch.testing.assert_close(resized, torch.full((*size, 3), 77.0))

    @pytest.mark.parametrize("name", ["bicubic", "mitchellcubic"])
    def test_cubics_keep_straight_lines(self, name: str) -> None:
        ramp = torch.arange(20.0)[:, None, None].expand(20, 4, 1)
        resized = resize_image(ramp, (40, 4), name)[:, 0, 0]
        expected = (torch.arange(40) + 0.5) / 2 - 0.5
        torch.testing.assert_close(resized[6:-6], expected[6:-6])

    def test_area_is_the_mean_of_what_it_covers(self) -> None:
        image = torch.rand(12, 12, 2)
        blocks = image.reshape(4, 3, 6, 2, 2).mean((1, 3))
        torch.testing.assert_close(resize_image(image, (4, 6), "area"), blocks)
        half = resize_image(torch.tensor([0.0, 3.0, 9.0])[:, None, None], (2, 1), "area")[:, 0, 0]
        torch.testing.assert_close(half, torch.tensor([1.0, 7.0]))  # (0 + 3/2)/1.5, (3/2 + 9)/1.5

    def test_the_cubic_is_keys_cubic(self) -> None:
        # Halfway between two pixels Keys' weights are −1/16, 9/16, 9/16, −1/16.
        row = torch.tensor([0.0, 0.0, 16.0, 0.0, 0.0, 0.0, 0.0, 0.0])[None, :, None]
        assert resize_image(row, (1, 4), "bicubic")[0, 1, 0].item() == pytest.approx(9.0)
        assert resize_image(row, (1, 4), "bicubic")[0, 2, 0].item() == pytest.approx(0.0)

    def test_crop_and_pad_keep_proportions(self) -> None:
        assert crop_to_aspect(torch.zeros(10, 20, 3), (5, 5)).shape == (10, 10, 3)
        assert crop_to_aspect(torch.zeros(20, 10, 3), (5, 10)).shape == (5, 10, 3)
        padded = resize_with_pad(torch.ones(10, 20, 3), (8, 8), "bilinear")
        assert padded[2:6].min() == 1 and padded[:2].max() == padded[6:].max() == 0


@pytest.mark.parametrize(("color_mode", "channels"), [("grayscale", 1), ("rgb", 3)])
def test_16_bit_levels_are_scaled(tmp_path: Path, color_mode: str, channels: int) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(levels).save(tmp_path / name / "deep.png")
    images, _ = next(iter(read(tmp_path, image_size=(16, 16), color_mode=color_mode, verbose=False)))
    expected = np.broadcast_to(np.arange(256).reshape(16, 16, 1), (2, 16, 16, channels))
    np.testing.assert_array_equal(images.numpy(), expected)
