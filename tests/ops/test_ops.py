"""`keras.ops` on functions and symbolic tensors, alone and through a file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning import ops
from scene_lightning.errors import InputError, UnsupportedError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype("float32")
POSITIVE = np.abs(X) + 0.1
UNIT = (X / 10).clip(-0.9, 0.9)
COUNTS = np.arange(6, dtype="int32").reshape(2, 3)
IMAGES = RNG.uniform(0, 255, size=(2, 5, 6, 3)).astype("float32")
KERNEL = RNG.normal(size=(3, 2, 3, 4)).astype("float32")
DEEP = RNG.normal(size=(3, 2, 3, 2)).astype("float32")
ODDS = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
HOT = np.array([[1, 0, 0], [0, 0, 1]], "float32")


@pytest.mark.parametrize("mode", ["edge", "symmetric", "reflect"])
def test_pad_has_numpys_modes(mode: str) -> None:  # Keras on torch lacks the first, and the second for some shapes
    widths = ((1, 1), (2, 1), (0, 3))
    np.testing.assert_array_equal(ops.pad(X, widths, mode=mode).numpy(), np.pad(X, widths, mode=mode))


def test_functions_of_functions() -> None:
    x = torch.tensor([1.0, 2.0])
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert ops.map(lambda v: v * 2, x).tolist() == ops.vectorized_map(lambda v: v * 2, x).tolist() == [2.0, 4.0]
    assert ops.while_loop(lambda i: i < 3, lambda i: i + 1, 0) == 3
    assert ops.is_tensor(x) and not ops.is_tensor([1.0])
    assert ops.dtype(x) == "float32"


SYMBOLIC = {
    "mean": lambda k, x: k.ops.mean(x, axis=[1, 2]),
    "concatenate": lambda k, x: k.ops.concatenate([x, k.ops.relu(x - 0.5)], axis=-1),
    "reshape": lambda k, x: k.ops.reshape(x, (-1, 36)),
    "resize": lambda k, x: k.ops.image.resize(x, (2, 2)),
    "maximum": lambda k, x: k.ops.maximum(x, 0.1) * k.ops.sqrt(k.ops.abs(x)),
    "max": lambda k, x: k.ops.softmax(k.ops.max(x, axis=(1, 2)), axis=-1),
    "transpose": lambda k, x: k.ops.squeeze(k.ops.expand_dims(k.ops.transpose(x, (0, 3, 1, 2)), 1), 1),
    "cast": lambda k, x: k.ops.cast(k.ops.greater(k.ops.clip(x, 0.2, 0.8), 0.5), "float32"),
    "space_to_depth": lambda k, x: k.ops.depth_to_space(k.ops.space_to_depth(k.ops.reshape(x, (-1, 6, 6, 1)), 2), 2),
    "layer_normalization": lambda k, x: k.ops.layer_normalization(x, epsilon=0.01),
    "rms_normalization": lambda k, x: k.ops.rms_normalization(x),
}


@pytest.mark.parametrize("name", sorted(SYMBOLIC))
def test_symbolic_calls_go_to_keras_and_back(name: str, tmp_path: Path) -> None:
    images = RNG.uniform(size=(3, 4, 3, 3)).astype("float32")
    models = []
    for library in (ours, keras):
        x = library.Input((4, 3, 3))
        models.append(library.Model(x, SYMBOLIC[name](library, x)))
    found, expected = (model.predict(images, verbose=0) for model in models)
    assert tuple(models[0].output.shape) == tuple(models[1].output.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for model, load in zip(models, (keras.models.load_model, ours.models.load_model), strict=True):
        path = tmp_path / f"{type(model).__module__}.keras"
        model.save(path)
        np.testing.assert_allclose(load(path).predict(images, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_what_is_not_here_says_what_to_use() -> None:
    with pytest.raises(UnsupportedError, match=r"keras\.ops\.fft is not supported.*torch"):
        ops.fft(X)
    with pytest.raises(UnsupportedError, match=r"keras\.ops\.linalg\.lu_factor.*torch\.linalg"):
        ops.linalg.lu_factor(X)
    with pytest.raises(AttributeError, match="concatenate"):
        _ = ops.concatenat
    with pytest.raises(InputError, match="Lambda"):
        ops.clip(X, 0, ours.Input((2,)))
    with pytest.raises(InputError, match="exactly two"):
        ops.image.pad_images(IMAGES, 1)
    with pytest.raises(InputError, match="reduction"):
        ops.scatter_update(X[0], [[0, 1]], [1.0], reduction="mean")
    with pytest.raises(InputError, match="real and the imaginary"):
        ops.fft2(X)
