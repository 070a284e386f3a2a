"""`load_from_checkpoint` of Sequential, functional and users' models, from what a Trainer wrote."""

from __future__ import annotations

import lightning as L
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import FileFormatError, InputError

RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 12)
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
QUIET |= {"logger": False, "enable_checkpointing": False}
pytestmark = pytest.mark.filterwarnings("ignore")


def loader():
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


def trained(model, path):
    """`model` after an epoch in a Trainer, which leaves its checkpoint at `path`."""
    if not model.compiled:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    trainer = L.Trainer(max_epochs=1, **QUIET)
    trainer.fit(model, loader())
    trainer.save_checkpoint(path)
    return model


def assert_same(loaded, model):
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert loaded.compiled and int(loaded.optimizer.iterations) == 3
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def stack():
    return [keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")]


class Named(keras.Sequential):
    """A class that makes its layers elsewhere, with a hook of its own."""


class WithArguments(keras.Model):
    def __init__(self, width=8, save=True):
        super().__init__()
        if save:
            self.save_hyperparameters()
        self.flatten, self.hidden = layers.Flatten(), layers.Dense(width, activation="relu")
        self.head = layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.head(self.hidden(self.flatten(inputs)))


class Wraps(keras.Model):
    """Made from something that no file can hold."""

    def __init__(self, norm):
        super().__init__()
        self.norm, self.flatten, self.head = norm, layers.Flatten(), layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.head(self.flatten(self.norm(inputs)))


def test_sequential_and_functional_models(tmp_path):
    path = tmp_path / "model.ckpt"
    model = trained(keras.Sequential(stack()), path)
    assert_same(keras.Sequential.load_from_checkpoint(path), model)
    assert_same(keras.Model.load_from_checkpoint(str(path), map_location="cpu"), model)
    inputs = keras.Input((4, 4, 3))
    functional = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(inputs)))
    trained(functional, path)
    assert_same(keras.Model.load_from_checkpoint(path), functional)
    assert_same(type(functional).load_from_checkpoint(path), functional)
    with pytest.raises(InputError, match=r"not a Sequential: use Functional\.load_from_checkpoint"):
        keras.Sequential.load_from_checkpoint(path)
    named = trained(Named(stack()), path)
    loaded = Named.load_from_checkpoint(path)
    assert type(loaded) is Named
    assert_same(loaded, named)


@pytest.mark.parametrize("save", [True, False])
def test_a_class_with_arguments(save, tmp_path):
    path = tmp_path / "model.ckpt"
    model = trained(WithArguments(16, save), path)
    assert_same(WithArguments.load_from_checkpoint(path), model)
    assert_same(WithArguments.load_from_checkpoint(path, width=16, save=save), model)


def test_arguments_that_no_file_holds_are_given_again(tmp_path):
    path = tmp_path / "model.ckpt"
    model = trained(Wraps(torch.nn.LayerNorm(3)), path)
    assert_same(Wraps.load_from_checkpoint(path, norm=torch.nn.LayerNorm(3)), model)
    with pytest.raises(FileFormatError, match="load_from_checkpoint"):
        keras.models.load_model(path)


def test_a_trainer_tests_an_unbuilt_model_from_its_checkpoint(tmp_path):
    path = tmp_path / "model.ckpt"
    model, fresh = trained(WithArguments(), path), WithArguments()
    fresh.compile("adam", "sparse_categorical_crossentropy")
    found = L.Trainer(**QUIET).test(fresh, loader(), ckpt_path=path, verbose=False)[0]
    assert found["test_loss"] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)


def test_what_is_no_checkpoint_of_ours_is_named(tmp_path):
    class Plain(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def training_step(self, batch, batch_idx):
            return self.layer(torch.rand(3, 2)).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    trainer = L.Trainer(max_epochs=1, **QUIET)
    trainer.fit(Plain(), loader())
    trainer.save_checkpoint(tmp_path / "plain.ckpt")
    with pytest.raises(FileFormatError, match="another program"):
        keras.Sequential.load_from_checkpoint(tmp_path / "plain.ckpt")
    model = keras.Sequential(stack())
    model.save(tmp_path / "model.keras")
    with pytest.raises(FileFormatError, match="load_model"):
        keras.Sequential.load_from_checkpoint(tmp_path / "model.keras")
    with pytest.raises(FileFormatError, match="No such file"):
        keras.Sequential.load_from_checkpoint(tmp_path / "none.ckpt")
    with pytest.raises(TypeError, match="load_weights"):
        model.load_from_checkpoint(tmp_path / "plain.ckpt")
