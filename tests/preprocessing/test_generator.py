"""ImageDataGenerator's own methods and the single-image functions, against the real Keras."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.preprocessing import image as keras_arrays
from keras.src.legacy.preprocessing import image as keras_image
from PIL import Image, UnidentifiedImageError

from scene_lightning.errors import InputError
from scene_lightning.preprocessing import image as our_image

pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning"),  # Keras' own
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

shifts = st.one_of(
    st.just(0.0), st.floats(0.01, 0.9), st.integers(1, 6), st.floats(1.0, 8.0), st.lists(st.integers(1, 9), min_size=1)
)
generators = st.fixed_dictionaries(
    {
        "rotation_range": st.sampled_from([0, 15, 90.0]),
        "width_shift_range": shifts,
        "height_shift_range": shifts,
        "shear_range": st.sampled_from([0.0, 0.2, 25]),
        "zoom_range": st.sampled_from([0.0, 0.2, (0.5, 1.0), [1, 1]]),
        "channel_shift_range": st.sampled_from([0.0, 12.0]),
        "brightness_range": st.sampled_from([None, (0.2, 1.5)]),
        "fill_mode": st.sampled_from(["nearest", "reflect", "constant", "wrap"]),
        "horizontal_flip": st.booleans(),
        "vertical_flip": st.booleans(),
        "cval": st.sampled_from([0.0, 99.5]),
    }
)


@settings(max_examples=60, deadline=None)
@given(options=generators, seed=st.integers(0, 1000), height=st.integers(2, 24), width=st.integers(2, 24))
def test_random_transform_equals_keras(options: dict[str, Any], seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float32)
    found = []
    for module in (keras_image, our_image):
        generator = module.ImageDataGenerator(**options)
        parameters = generator.get_random_transform(image.shape, seed)
        found.append((parameters, generator.random_transform(image.copy(), seed), np.random.random()))
    (theirs, their_image, their_next), (ours, our_image_, our_next) = found
    assert ours == theirs and our_next == their_next  # as many numbers were drawn
    difference = np.abs(our_image_ - their_image)
    if options["brightness_range"] is None:
        assert difference.max() <= 1e-4
    else:  # whole levels: 1e-14 between two ways to compute a position may tip one pixel
        assert (difference > 1e-4).mean() <= 0.01


def call_with_seed(function: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    np.random.seed(8)
    return function(*args, **kwargs)


@pytest.mark.parametrize(
    "name, args",
    [
        ("random_rotation", (30,)),
        ("random_shift", (0.2, 0.3)),
        ("random_shear", (20,)),
        ("random_zoom", ((0.5, 1.5),)),
        ("random_zoom", ((1, 1),)),
        ("random_channel_shift", (30.0,)),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_single_image_functions_equal_keras(name: str, args: tuple[Any, ...], last: bool) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (14, 11, 3)).astype(np.float32)
    image = image if last else image.transpose(2, 0, 1)
    axes = {"channel_axis": 2 if last else 0}
    if name != "random_channel_shift":
        axes |= {"row_axis": 0 if last else 1, "col_axis": 1 if last else 2}
    results = [call_with_seed(getattr(module, name), image, *args, **axes) for module in (keras_image, our_image)]
    np.testing.assert_allclose(results[1], results[0], atol=1e-4)


@pytest.mark.parametrize("scale", [True, False])
def test_brightness_functions_equal_keras(scale: bool) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (14, 11, 3)).astype(np.float32)
    for name, argument in (("random_brightness", (0.3, 1.7)), ("apply_brightness_shift", 1.3)):
        results = [call_with_seed(getattr(m, name), image, argument, scale) for m in (keras_image, our_image)]
        np.testing.assert_array_equal(results[1], results[0])
    assert our_image.apply_brightness_shift(np.full((1, 1, 3), 100.9), 1.5, False)[0, 0, 0] == 150


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_affine_of_any_layout_equals_keras(axes: tuple[int, int, int], dtype: str) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (9, 12, 7)).astype(dtype)
    args = {
        "theta": 20,
        "tx": 1.5,
        "shear": 10,
        "zx": 0.8,
        **dict(zip(("row_axis", "col_axis", "channel_axis"), axes, strict=True)),
    }
    theirs, ours = (m.apply_affine_transform(image, **args) for m in (keras_image, our_image))
    assert theirs.dtype == ours.dtype and theirs.shape == ours.shape
    np.testing.assert_allclose(ours.astype(float), theirs.astype(float), atol=1 if dtype == "uint8" else 1e-4)
    assert (ours != theirs).mean() < 0.01 or dtype != "uint8"


def test_affine_refuses_impossible_axes() -> None:
    for arguments in ({"row_axis": 0}, {"row_axis": 3}, {"row_axis": 0, "channel_axis": 1}):
        with pytest.raises(InputError):
            our_image.apply_affine_transform(np.zeros((3, 4, 5)), 10, **arguments)
    with pytest.raises(InputError, match="multi-channel"):
        our_image.apply_affine_transform(np.zeros((3, 4)), 10)


@pytest.mark.parametrize(
    "options",
    [
        {"zoom_range": (0.1, 0.2, 0.3)},
        {"zoom_range": "much"},
        {"brightness_range": 0.5},
        {"validation_split": 1.5},
        {"data_format": "channels_middle"},
    ],
)
def test_constructor_refuses_what_keras_refuses(options: dict[str, Any]) -> None:
    for module in (keras_image, our_image):
        with pytest.raises(ValueError):
            module.ImageDataGenerator(**options)


@pytest.mark.parametrize(
    "options, changed",
    [
        ({"featurewise_std_normalization": True}, "featurewise_center"),
        ({"samplewise_std_normalization": True}, "samplewise_center"),
        ({"zca_whitening": True}, "featurewise_center"),
        ({"zca_whitening": True, "featurewise_std_normalization": True}, "featurewise_std_normalization"),
    ],
)
def test_switches_that_switch_others_warn(options: dict[str, bool], changed: str) -> None:
    values = []
    for module in (keras_image, our_image):
        with pytest.warns(UserWarning, match="overrides setting"):
            values.append(getattr(module.ImageDataGenerator(**options), changed))
    assert values[0] == values[1]


def test_unfitted_generators_warn_and_leave_values() -> None:
    with warnings.catch_warnings(record=True):
        generator = our_image.ImageDataGenerator(featurewise_std_normalization=True)
    x = np.ones((4, 4, 3), np.float32)
    with pytest.warns(UserWarning, match="hasn't been fit on any training data"):
        np.testing.assert_array_equal(generator.standardize(x.copy()), x)


def test_array_conversions_equal_keras(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for channels in (1, 3, 4):
        array = random.uniform(-3, 300, (6, 7, channels)).astype(np.float32)
        for scale in (True, False):
            low = array if scale else array.clip(0, 255)
            theirs, ours = (module.array_to_img(low, scale=scale) for module in (keras_arrays, our_image))
            assert ours.mode == theirs.mode
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
            for data_format in ("channels_last", "channels_first"):
                back = [module.img_to_array(theirs, data_format) for module in (keras_arrays, our_image)]
                assert_equal_arrays(*back)
        for ending in ("png", "jpg", "bmp")[: 2 if channels == 4 else 3]:
            files = []
            for module in (keras_arrays, our_image):
                files.append(tmp_path / f"{module.__name__}.{ending}")
                with warnings.catch_warnings(record=True):
                    module.save_img(files[-1], array)
            assert files[0].read_bytes() == files[1].read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(InputError, match="rank 3"):
        our_image.array_to_img(np.zeros((3, 3)))
    with pytest.raises(InputError, match="channel number"):
        our_image.array_to_img(np.zeros((3, 3, 2)))


def assert_equal_arrays(one: np.ndarray, two: np.ndarray) -> None:
    assert one.dtype == two.dtype
    np.testing.assert_array_equal(one, two)


def test_load_img_takes_what_keras_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(path)
    expected = np.asarray(keras_arrays.load_img(path))
    for source in (path, str(path), str(path).encode(), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(np.asarray(our_image.load_img(source)), expected)
    with pytest.warns(UserWarning, match="grayscale is deprecated"):
        assert our_image.load_img(path, grayscale=True).mode == "L"
    with pytest.raises(FileNotFoundError):
        our_image.load_img(tmp_path / "gone.png")
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(UnidentifiedImageError):
        our_image.load_img(tmp_path / "bad.png")
    with pytest.raises(InputError, match="Invalid interpolation"):
        our_image.load_img(path, target_size=(2, 2), interpolation="cubic")
    with pytest.raises(TypeError):
        our_image.load_img(3)


@pytest.mark.parametrize("shape, size", [((20, 30, 3), (10, 10)), ((20, 30, 3), (8, 19)), ((2, 9, 7, 1), (12, 6))])
def test_smart_resize_equals_keras(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    for interpolation in ("bilinear", "nearest"):
        theirs, ours = (m.smart_resize(x, size, interpolation) for m in (keras_arrays, our_image))
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-3)
