"""A LightningDataModule in `fit`, `evaluate` and `predict`: its stages, loaders and hooks, as a Trainer uses them."""

from __future__ import annotations

import lightning as L
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.random((20, 4, 4, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 20)
pytestmark = pytest.mark.filterwarnings("ignore")
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}


def loader(slice_):
    data = torch.utils.data.TensorDataset(torch.from_numpy(X[slice_]), torch.from_numpy(Y[slice_]))
    return torch.utils.data.DataLoader(data, batch_size=4)


class Photographs(L.LightningDataModule):
    """Uneven on purpose: it gives dicts, and makes pairs of them on the device."""

    def __init__(self):
        super().__init__()
        self.events = []

    def prepare_data(self):
        self.events.append("prepare")

    def setup(self, stage):
        self.events.append(str(getattr(stage, "value", stage)))
        self.parts = {"train": slice(0, 12), "val": slice(12, 16), "test": slice(16, 20)}

    def train_dataloader(self):
        return loader(self.parts["train"])

    def val_dataloader(self):
        return loader(self.parts["val"])

    def test_dataloader(self):
        return loader(self.parts["test"])

    def predict_dataloader(self):
        return loader(slice(0, 20))

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return {"image": batch[0], "label": batch[1]}

    def on_after_batch_transfer(self, batch, dataloader_idx):
        scale = 2.0 if self.trainer.training else 1.0
        return batch["image"] * scale, batch["label"]

    def teardown(self, stage):
        self.events.append("end")


def compiled():
    torch.manual_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_fit_takes_its_loaders_and_hooks():
    data, model, plain = Photographs(), compiled(), compiled()
    history = model.fit(data, epochs=2, verbose=0).history
    expected = plain.fit(
        X[:12] * 2, Y[:12], batch_size=4, shuffle=False, epochs=2, validation_data=(X[12:16], Y[12:16]), verbose=0
    ).history
    assert list(history) == list(expected)
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5)
    assert data.events == ["prepare", "fit", "end"]
    driven, trainer = compiled(), L.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, **QUIET)
    trainer.fit(driven, datamodule=Photographs())
    for a, b in zip(model.get_weights(), driven.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_evaluate_takes_the_test_loader_and_predict_its_own():
    data, model = Photographs(), compiled()
    np.testing.assert_allclose(model.evaluate(data, verbose=0), model.evaluate(X[16:], Y[16:], verbose=0), rtol=1e-5)
    np.testing.assert_allclose(model.predict(data, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    assert data.events == ["prepare", "test", "end", "predict", "end"]


def test_with_steps_weights_and_other_validation_data():
    model, plain = compiled(), compiled()
    weights = {0: 1.0, 1: 3.0, 2: 0.5}
    options = dict(epochs=2, steps_per_epoch=2, class_weight=weights, verbose=0, validation_data=(X, Y))
    history = model.fit(Photographs(), **options).history
    doubled = torch.utils.data.TensorDataset(torch.from_numpy(X[:12] * 2), torch.from_numpy(Y[:12]))
    expected = plain.fit(torch.utils.data.DataLoader(doubled, batch_size=4), **options).history
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5)
    assert "val_loss" in model.fit(X, Y, validation_data=Photographs(), verbose=0).history


def test_from_datasets_and_without_validation():
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    made = L.LightningDataModule.from_datasets(train_dataset=data, batch_size=5)
    model = compiled()
    assert set(model.fit(made, verbose=0).history) == {"loss", "accuracy"}
    assert int(model.optimizer.iterations) == 4
    with pytest.raises(InputError, match=r"no predict_dataloader\(\), which predict\(\) reads"):
        model.predict(made)
    with pytest.raises(InputError, match="targets come from its batches"):
        model.fit(made, Y)


def test_several_loaders_go_to_a_trainer():
    class Several(Photographs):
        def val_dataloader(self):
            return [loader(slice(0, 4)), loader(slice(4, 8))]

    with pytest.raises(InputError, match=r"several loaders.*Trainer"):
        compiled().fit(Several(), verbose=0)


def test_an_unbuilt_model_with_a_step_of_its_own():
    class Plain(Photographs):
        on_before_batch_transfer = L.LightningDataModule.on_before_batch_transfer
        on_after_batch_transfer = L.LightningDataModule.on_after_batch_transfer

    class Own(keras.Sequential):
        def training_step(self, batch, batch_idx):
            x, y = batch
            loss = torch.nn.functional.cross_entropy(self(x), y)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    model = Own([layers.Flatten(), layers.Dense(3)])
    assert set(model.fit(Plain(), verbose=0).history) == {"train_loss"}
