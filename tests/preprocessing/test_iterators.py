"""Iterators against the real Keras, call by call: the same files, the same numbers from the same seed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from keras.src.legacy.preprocessing import image as keras_image
from PIL import Image

from scene_lightning.errors import InputError
from scene_lightning.preprocessing import image as our_image

pytestmark = pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning")  # Keras' own

MODULES = (keras_image, our_image)
STRONG: dict[str, Any] = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 3,
    "shear_range": 15,
    "zoom_range": (0.7, 1.2),
    "channel_shift_range": 20.0,
    "brightness_range": (0.5, 1.4),
    "horizontal_flip": True,
    "vertical_flip": True,
    "rescale": 1 / 255,
    "validation_split": 0.4,
}


def assert_same(ours: Any, theirs: Any) -> None:
    """Batches of any nesting, equal in kind, shape, dtype and value."""
    assert type(ours) is type(theirs)
    if isinstance(ours, tuple | list):
        assert len(ours) == len(theirs)
        for one, two in zip(ours, theirs, strict=True):
            assert_same(one, two)
        return
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    if ours.dtype == object:
        assert (ours == theirs).all()
    else:
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


def drive(iterator: Any) -> list[Any]:
    """Batches by index, by next, past the end, after reset and after on_epoch_end."""
    np.random.seed(11)
    seen = [
        iterator[0],
        iterator[len(iterator) - 1],
        next(iterator),
        iterator.next() if hasattr(iterator, "next") else next(iterator),
    ]
    for _ in range(len(iterator)):
        seen.append(next(iterator))
    iterator.reset()
    seen.append(next(iterator))
    iterator.on_epoch_end()
    return [*seen, iterator[0], np.array([iterator.batch_index, iterator.total_batches_seen]), iterator.index_array]


def same(make: Any, capsys: pytest.CaptureFixture[str]) -> tuple[Any, Any]:
    """Drive Keras' and our iterator alike and compare all that they give; returns both."""
    found, said = [], []
    for module in MODULES:
        iterator = make(module)
        said.append(capsys.readouterr().out)
        found.append((iterator, drive(iterator)))
    (theirs, their_batches), (ours, our_batches) = found
    assert said[0] == said[1]
    for one, two in zip(our_batches, their_batches, strict=True):
        assert_same(one, two)
    assert len(ours) == len(theirs)
    return ours, theirs


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("shuffle", [True, False])
def test_directory_equals_keras(
    scenes: Path, capsys: pytest.CaptureFixture[str], seed: int | None, shuffle: bool
) -> None:
    def make(module: Any) -> Any:
        generator = module.ImageDataGenerator(**STRONG)
        return generator.flow_from_directory(scenes, target_size=(24, 28), batch_size=5, seed=seed, shuffle=shuffle)

    ours, theirs = same(make, capsys)
    for name in (
        "n", "samples", "num_classes", "class_indices", "filenames", "filepaths", "image_shape", "target_size",
        "batch_size", "seed", "shuffle", "color_mode", "class_mode", "data_format", "interpolation", "dtype",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("classes", "labels"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype


@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "binary", "input", None])
def test_class_modes_and_subsets_equal_keras(
    scenes: Path, capsys: pytest.CaptureFixture[str], class_mode: str | None, subset: str
) -> None:
    def make(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.4, horizontal_flip=True)
        return generator.flow_from_directory(
            str(scenes), (20, 20), "grayscale", ["glacier", "Sea", "absent"], class_mode, 3, True, 1, subset=subset
        )

    same(make, capsys)


@pytest.mark.parametrize(
    "options",
    [
        {"color_mode": "rgba", "interpolation": "bilinear"},
        {"keep_aspect_ratio": True, "interpolation": "lanczos", "target_size": (31, 17)},
        {"follow_links": True},
    ],
)
def test_reading_options_equal_keras(scenes: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any]) -> None:
    (scenes / "glacier" / "linked").symlink_to(scenes / "Sea")

    def make(module: Any) -> Any:
        options_ = {"target_size": (20, 20), **options}
        return module.ImageDataGenerator(rescale=0.5).flow_from_directory(scenes, batch_size=4, seed=0, **options_)

    same(make, capsys)


def test_channels_first_equals_keras(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def make(module: Any) -> Any:
        generator = module.ImageDataGenerator(data_format="channels_first", rotation_range=30, vertical_flip=True)
        return generator.flow_from_directory(scenes, target_size=(20, 26), batch_size=4, seed=3)

    same(make, capsys)


def test_normalisation_and_functions_equal_keras(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (9, 12, 10, 3)).astype(np.float32)
    y = np.arange(9) % 3

    def make(module: Any) -> Any:
        generator = module.ImageDataGenerator(
            featurewise_center=True,
            featurewise_std_normalization=True,
            samplewise_center=True,
            samplewise_std_normalization=True,
            rotation_range=10,
            rescale=1 / 255,
            preprocessing_function=lambda image: image[..., ::-1] + 3,
        )
        generator.fit(x, augment=True, rounds=2, seed=1)
        return generator.flow(x, y, batch_size=4, seed=2, sample_weight=np.arange(9.0))

    ours, theirs = same(make, capsys)
    for name in ("mean", "std"):
        mine, real = getattr(ours.image_data_generator, name), getattr(theirs.image_data_generator, name)
        np.testing.assert_allclose(mine, real, rtol=1e-5)


def test_whitening_equals_keras(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (30, 4, 5, 1)).astype(np.float32)

    def make(module: Any) -> Any:
        with warnings.catch_warnings(record=True):
            generator = module.ImageDataGenerator(zca_whitening=True, zca_epsilon=1e-2)
        generator.fit(x)
        return generator.flow(x, batch_size=7, seed=2)

    ours, theirs = [make(module) for module in MODULES]
    np.testing.assert_allclose(theirs[0], ours[0], atol=1e-4)
    assert ours.image_data_generator.zca_whitening_matrix.shape == (20, 20)


@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_arrays_equal_keras(capsys: pytest.CaptureFixture[str], subset: str | None) -> None:
    x = np.random.default_rng(0).integers(0, 256, (12, 9, 11, 3), dtype=np.uint8)
    y = np.eye(3)[np.arange(12) % 3]

    def make(module: Any) -> Any:
        return module.ImageDataGenerator(**STRONG).flow(x, y, 5, True, None, 3, subset=subset)

    same(make, capsys)
    same(lambda module: module.ImageDataGenerator().flow((x, [np.arange(12)]), y, batch_size=5, seed=1), capsys)
    same(lambda module: module.ImageDataGenerator(zoom_range=0.4).flow(x, shuffle=False), capsys)


def frame(scenes: Path) -> pd.DataFrame:
    files = [f"glacier/{n}.jpg" for n in (1, 2, 3)] + [
        "Sea/2.jpg",
        "Sea/10.jpg",
        "forest/f.jpg",
        "gone.jpg",
        "forest/c.gif",
    ]
    return pd.DataFrame(
        {
            "filename": files,
            "class": [Path(file).parent.name for file in files],
            "several": [["a"], ["a", "b"], ["b"], ["c", "a"], ["c"], ["a"], ["a"], ["b"]],
            "number": np.arange(8.0),
            "other": np.arange(8) * 2,
        }
    )


@pytest.mark.filterwarnings("ignore:Found 2 invalid image filename")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_mode": "sparse", "classes": ["glacier", "Sea"]},
        {"class_mode": "binary", "classes": ["Sea", "glacier"], "subset": "validation"},
        {"y_col": "several", "subset": "training"},
        {"y_col": "several", "classes": ["b", "a"]},
        {"class_mode": "raw", "y_col": "number", "weight_col": "other"},
        {"class_mode": "raw", "y_col": ["number", "other"]},
        {"class_mode": "multi_output", "y_col": ["number", "other"]},
        {"class_mode": "input"},
        {"class_mode": None, "y_col": None},
    ],
)
def test_dataframe_equals_keras(scenes: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any]) -> None:
    def make(module: Any) -> Any:
        generator = module.ImageDataGenerator(validation_split=0.4, horizontal_flip=True)
        return generator.flow_from_dataframe(
            frame(scenes), str(scenes), target_size=(18, 20), batch_size=3, seed=4, **options
        )

    ours, theirs = same(make, capsys)
    assert ours.filenames == theirs.filenames and getattr(ours, "classes", 0) == getattr(theirs, "classes", 0)


@pytest.mark.parametrize(
    "options",
    [
        {"class_mode": "sparse", "y_col": "number"},
        {"class_mode": "categorical", "y_col": "number"},
        {"class_mode": "binary"},
        {"class_mode": "multi_output"},
        {"class_mode": "strange"},
        {"x_col": "number"},
        {"weight_col": "class"},
    ],
)
def test_dataframe_refuses_what_keras_refuses(scenes: Path, options: dict[str, Any]) -> None:
    for module in MODULES:
        with pytest.raises((TypeError, ValueError)):
            module.ImageDataGenerator().flow_from_dataframe(frame(scenes), str(scenes), **options)


@pytest.mark.parametrize("mode", ["categorical", "sparse", "binary"])
def test_columns_of_numbers_are_sent_to_raw(scenes: Path, mode: str) -> None:
    table = frame(scenes).assign(day=1, night=0)
    generator = our_image.ImageDataGenerator()
    with pytest.raises(TypeError, match=r'one column of labels; received .*class_mode="raw".*"multi_output"'):
        generator.flow_from_dataframe(table, str(scenes), y_col=["day", "night"], class_mode=mode)
    with pytest.raises(TypeError, match=r'astype\(str\); for numbers to predict, class_mode="raw"'):
        generator.flow_from_dataframe(table, str(scenes), y_col="number", class_mode="sparse")
    batch = next(generator.flow_from_dataframe(table, str(scenes), y_col=["day", "night"], class_mode="raw"))
    assert batch[1].shape[1:] == (2,)


def test_old_dataframe_spellings(scenes: Path) -> None:
    generator = our_image.ImageDataGenerator()
    with pytest.warns(DeprecationWarning, match="drop_duplicates is deprecated"):
        generator.flow_from_dataframe(frame(scenes)[:3], str(scenes), drop_duplicates=False)
    with pytest.warns(DeprecationWarning, match='class_mode="other"'):
        generator.flow_from_dataframe(frame(scenes)[:3], str(scenes), y_col="number", class_mode="other")
    with pytest.raises(TypeError, match=r"shufle.*Did you mean .shuffle"):
        generator.flow_from_dataframe(frame(scenes)[:3], str(scenes), shufle=True)


def test_saved_batches_have_keras_names(scenes: Path, tmp_path: Path) -> None:
    saved = []
    for module in MODULES:
        folder = tmp_path / module.__name__
        folder.mkdir()
        flow = module.ImageDataGenerator(rotation_range=20).flow_from_directory(
            scenes, (16, 16), batch_size=4, seed=6, save_to_dir=str(folder), save_prefix="aug", save_format="png"
        )
        next(flow)
        saved.append({file.name: np.asarray(Image.open(file)).astype(int) for file in folder.iterdir()})
    assert saved[0].keys() == saved[1].keys() and len(saved[0]) == 4
    for name, picture in saved[0].items():
        assert np.abs(picture - saved[1][name]).max() <= 1


def test_golden_orders_of_the_iterator() -> None:
    """n=10, seed=5: the permutations that the digest printed from Keras."""
    flow = our_image.ImageDataGenerator().flow(np.zeros((10, 2, 2, 1)), np.arange(10), batch_size=4, seed=5)
    order = [np.concatenate([next(flow)[1] for _ in range(3)]).tolist() for _ in range(2)]
    assert order == [[9, 5, 2, 4, 7, 1, 0, 8, 6, 3], [8, 6, 9, 0, 2, 5, 7, 1, 4, 3]]


def test_errors_name_the_problem(scenes: Path) -> None:
    generator = our_image.ImageDataGenerator()
    with pytest.raises(FileNotFoundError, match="No such directory"):
        generator.flow_from_directory(scenes / "absent")
    with pytest.raises(InputError, match="No such directory"):
        generator.flow_from_directory(scenes / "absent")
    flow = generator.flow_from_directory(scenes)
    with pytest.raises(ValueError, match="Asked to retrieve element"):
        flow[len(flow)]
    for options in ({"class_mode": "one-hot"}, {"color_mode": "bgr"}, {"subset": "test"}, {"batch_size": 0}):
        with pytest.raises(InputError):
            generator.flow_from_directory(scenes, **options)
    x = np.zeros((4, 5, 5, 3))
    for call in (
        lambda: generator.flow(x[0]),
        lambda: generator.flow(x, np.arange(3)),
        lambda: generator.flow(x, np.arange(4), sample_weight=np.ones(2)),
        lambda: generator.flow((x, np.arange(3)), np.arange(4)),
        lambda: our_image.ImageDataGenerator(validation_split=0.5).flow(x, np.arange(4), subset="training"),
    ):
        with pytest.raises(InputError):
            call()
