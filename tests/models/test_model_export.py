"""`model.export` writes networks that onnxruntime and torch.export run with the model's own answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError, UnsupportedError

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def small() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((9, 8, 3), name="photographs"),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.DepthwiseConv2D(3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("swish"),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def test_onnx_takes_any_number_of_images(tmp_path: Path) -> None:
    model, path = small(), tmp_path / "model.onnx"
    model.export(path, format="onnx")
    session = onnxruntime.InferenceSession(path)
    assert [node.name for node in session.get_inputs()] == ["photographs"]
    for count in (1, 2, 5):
        images = np.random.default_rng(count).uniform(0, 255, (count, 9, 8, 3)).astype(np.float32)
        (answers,) = session.run(None, {"photographs": images})
        np.testing.assert_allclose(answers, model.predict(images, verbose=0), atol=1e-6)


def test_models_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    joined = keras.layers.concatenate([left, right])
    model = keras.Model([left, right], [keras.layers.Dense(2)(joined), keras.layers.Dense(1)(joined)])
    model.export(tmp_path / "model.onnx", format="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    given = {"left": np.ones((3, 4), np.float32), "right": np.ones((3, 3), np.float32)}
    for answer, ours in zip(session.run(None, given), model.predict(list(given.values()), verbose=0), strict=True):
        np.testing.assert_allclose(answer, ours, atol=1e-6)


def test_torch_programs_are_loaded_by_torch(tmp_path: Path) -> None:
    model, images = small(), torch.rand(3, 9, 8, 3)
    model.export(str(tmp_path / "model.pt2"), format="torch", verbose=True)
    answers = torch.export.load(tmp_path / "model.pt2").module()(images)
    np.testing.assert_allclose(answers.detach().numpy(), model.predict(images.numpy(), verbose=0), atol=1e-6)


def test_the_model_goes_on_as_it_was(tmp_path: Path) -> None:
    """Exporting looks at a network in inference, and leaves it in training where it was there."""
    model = small().train()
    before = [weights.copy() for weights in model.get_weights()]
    model.export(tmp_path / "model.pt2", format="torch")
    assert all(part.training for part in model.modules())
    for ours, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("format", ["tf_saved_model", "openvino", "litert"])
def test_other_formats_say_what_writes_them(format: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=rf"format='{format}'.*keras.models.load_model"):
        small().export(tmp_path / "model", format=format)
    assert not list(tmp_path.iterdir())


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'onnx'"):
        small().export(tmp_path / "model.onnx", format="onxx")
    with pytest.raises(InputError, match="not built"):
        keras.Sequential([keras.layers.Dense(1)]).export(tmp_path / "model.onnx", format="onnx")
    with pytest.raises(InputError, match="unexpected argument 'opset'"):
        small().export(tmp_path / "model.onnx", format="onnx", opset=17)
    assert not list(tmp_path.iterdir())
