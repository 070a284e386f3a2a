"""Models as safetensors: whole, at half the size, damaged; and the models that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import scene_lightning as keras
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.models import shipped
from scene_lightning.reports.run_folder import find_model

IMAGES = np.random.default_rng(0).random((3, 8, 8, 3), dtype=np.float32)
INFO = {"class_names": ["a", "b"], "input_size": [8, 8], "rescale": 1 / 255, "color_mode": "rgb",
        "interpolation": "nearest"}  # fmt: skip


def network() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(IMAGES, np.eye(2, dtype=np.float32)[[0, 1, 1]], verbose=0)
    model.image_info = INFO
    return model


def test_a_model_comes_back_whole(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "m.safetensors")
    assert set(load_file(tmp_path / "m.safetensors")) == set(model.state_dict())
    loaded = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    assert loaded.image_info == INFO
    assert loaded.loss == model.loss
    other = keras.models.clone_model(model)
    other.load_weights(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(other.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))


def test_whoever_may_read_other_new_files_may_read_it(tmp_path: Path) -> None:
    network().save(tmp_path / "m.safetensors")
    (tmp_path / "other").touch()
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_half_precision_is_half_the_size_and_nearly_the_same(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "half.safetensors", save_format="float16")
    assert {t.dtype for t in load_file(tmp_path / "half.safetensors").values()} == {torch.float16}
    loaded = keras.models.load_model(tmp_path / "half.safetensors")
    assert all(weight.dtype == np.float32 for weight in loaded.get_weights())
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=2e-3)


def test_what_float16_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = network()
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0] * 1e6, np.zeros(2, np.float32)])
    with pytest.raises(FileFormatError, match="float16 cannot"):
        model.save(tmp_path / "half.safetensors", save_format="float16")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match='takes save_format="float16" or none'):
        model.save(tmp_path / "m.safetensors", save_format="tf")


def test_files_of_others_and_damaged_ones_are_named(tmp_path: Path) -> None:
    save_file({"x": torch.ones(3)}, tmp_path / "theirs.safetensors")
    with pytest.raises(FileFormatError, match="without the description of a model"):
        keras.models.load_model(tmp_path / "theirs.safetensors")
    network().save(tmp_path / "m.safetensors")
    whole = (tmp_path / "m.safetensors").read_bytes()
    rng = np.random.default_rng(1)
    for cut in (9, 40, 200, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:cut])
        with pytest.raises(FileFormatError):
            keras.models.load_model(tmp_path / "cut.safetensors")
    for _ in range(60):
        spoilt = bytearray(whole)
        for place in rng.integers(0, 2000, 3):
            spoilt[place] = rng.integers(0, 256)
        (tmp_path / "spoilt.safetensors").write_bytes(bytes(spoilt))
        try:
            keras.models.load_model(tmp_path / "spoilt.safetensors")
        except (FileFormatError, keras.errors.UnsupportedError):
            continue  # a byte of a name, a layer or a number: said, or still a model


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:-4], "its tensors should have .* bytes, and only .* are there"),
        (lambda whole: whole[:40], "its header should have .* bytes, and only 32 are there"),
        (lambda whole: whole + b"xx", "2 bytes follow its last tensor"),
        (lambda whole: whole[:20] + b"\xff" + whole[21:], "JSON that list the tensors, is damaged"),
        (lambda whole: b"\xff" * 7 + whole[7:], "its header should have .* bytes"),
        (lambda whole: bytes(8) + whole[8:], "expected the length of a header in 8 bytes"),
        (lambda whole: b"some text, not a model", "expected the length of a header in 8 bytes"),
        (lambda whole: b"<!DOCTYPE html><title>404</title>", "a web page"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    ],
)
def test_a_bad_file_says_what_is_wrong_with_it(damage: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    network().save(tmp_path / "m.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(damage((tmp_path / "m.safetensors").read_bytes()))
    with pytest.raises(FileFormatError, match=message) as caught:
        keras.models.load_model(tmp_path / "bad.safetensors")
    assert any(cure in str(caught.value) for cure in ("Copy or download", "Download", "git lfs"))


def test_a_models_name_stands_for_its_file_unless_one_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_folder", lambda: tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    assert shipped.shipped_names() == []
    model = network()
    model.save(tmp_path / "weights" / "tiny.safetensors")
    assert shipped.shipped_names() == ["tiny"]
    loaded = keras.models.load_model("tiny")
    np.testing.assert_array_equal(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    assert find_model("tiny") == tmp_path / "weights" / "tiny.safetensors"
    with pytest.raises(InputError, match="Did you mean 'tiny'"):
        find_model("tinny")
    (tmp_path / "tiny").mkdir()
    with pytest.raises(InputError, match=r"No best\.ckpt"):
        find_model("tiny")
