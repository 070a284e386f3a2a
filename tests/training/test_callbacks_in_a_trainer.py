"""Keras callbacks in a Lightning Trainer of one's own: called when and with what `fit` calls them."""

from __future__ import annotations

import csv

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 12)
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
pytestmark = pytest.mark.filterwarnings("ignore")


def loader():
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


def compiled(cls=keras.Sequential):
    torch.manual_seed(0)
    model = cls([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trainer(*callbacks, **options):
    settings = {"logger": False, "enable_checkpointing": False, "max_epochs": 2, **options}
    return L.Trainer(callbacks=list(callbacks), **QUIET, **settings)


def _rounded(logs):
    return {name: round(float(value), 4) for name, value in (logs or {}).items()}


class Recorder(keras.callbacks.Callback):
    """Notes each call of each hook."""

    def __init__(self):
        super().__init__()
        self.events = []


HOOKS = (
    "train_begin", "train_end", "epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end", "test_begin",
    "test_end", "test_batch_end",
)  # fmt: skip
for _hook in HOOKS:

    def _note(self, *args, logs=None, _hook=_hook):
        if args and not isinstance(args[-1], int):
            *args, logs = args
        self.events.append((_hook, *args, _rounded(logs)))

    setattr(Recorder, f"on_{_hook}", _note)


def test_they_hear_what_they_hear_in_fit():
    in_trainer, in_fit = Recorder(), Recorder()
    model, fitted = compiled(), compiled()
    trainer(in_trainer).fit(model, loader(), loader())
    history = fitted.fit(
        X, Y, batch_size=4, shuffle=False, epochs=2, validation_data=(X, Y), verbose=0, callbacks=[in_fit]
    )
    assert in_trainer.events == in_fit.events and len(in_fit.events) > 20  # the sanity check is none of their business
    for name, values in history.history.items():  # a GPU adds up in any order
        assert model.history.history[name] == pytest.approx(values, rel=1e-5)
    assert in_trainer.model is model
    assert {key: in_trainer.params[key] for key in ("epochs", "steps")} == {"epochs": 2, "steps": 3}


def test_evaluation_and_a_second_run():
    recorder = Recorder()
    model, other = compiled(), compiled()
    mine = trainer(recorder)
    found = mine.test(model, loader(), verbose=False)[0]
    logs = {name.removeprefix("test_"): value for name, value in found.items()}
    assert recorder.events[-1] == ("test_end", _rounded(logs))
    mine.validate(other, loader(), verbose=False)
    assert recorder.model is other
    assert [event[0] for event in recorder.events].count("test_end") == 2


def test_they_stop_save_and_steer(tmp_path):
    callbacks = keras.callbacks
    model = compiled()
    mine = trainer(
        ModelCheckpoint(tmp_path / "lightning", monitor="val_loss"),
        callbacks.EarlyStopping("val_loss", patience=1, min_delta=1e9, restore_best_weights=True),
        callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        LearningRateMonitor("epoch"),
        max_epochs=9,
        enable_checkpointing=True,
        logger=CSVLogger(tmp_path),
    )
    mine.fit(model, loader(), loader())
    assert mine.current_epoch == 2
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)
    assert sorted(path.name for path in tmp_path.glob("*.keras")) == ["1.keras", "2.keras"]
    first = keras.models.load_model(tmp_path / "1.keras")
    for a, b in zip(first.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # the best weights, those of the first epoch, are restored
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.05, 0.025])
    assert (tmp_path / "lightning").is_dir()


def test_those_that_the_model_configures_itself_work_too():
    class Stops(keras.Sequential):
        def configure_callbacks(self):
            return [keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)]

    recorder = Recorder()
    mine = trainer(recorder, max_epochs=9)
    mine.fit(compiled(Stops), loader())
    assert mine.current_epoch == 2
    assert [event[0] for event in recorder.events].count("epoch_end") == 2


def test_with_a_training_step_of_ones_own():
    class Own(keras.Sequential):
        def training_step(self, batch, batch_idx):
            loss = torch.nn.functional.nll_loss(self(batch[0]).log(), batch[1])
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    model = Own([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    stop = keras.callbacks.EarlyStopping("train_loss", patience=0, min_delta=1e9)
    mine = trainer(stop, keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2), max_epochs=9)
    mine.fit(model, loader())
    assert mine.current_epoch == 2
    assert mine.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.025)
    assert set(model.history.history) == {"train_loss", "learning_rate"}


def test_a_module_that_is_no_keras_model_is_told():
    class Plain(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def training_step(self, batch, batch_idx):
            return self.layer(torch.rand(3, 2)).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    with pytest.raises(InputError, match="EarlyStopping is a Keras callback, and Plain no Keras model"):
        trainer(keras.callbacks.EarlyStopping()).fit(Plain(), loader())


def test_a_barebones_trainer_trains_and_tells_them():
    model = compiled()
    mine = L.Trainer(barebones=True, max_epochs=1, accelerator="cpu", devices=1, callbacks=[keras.callbacks.History()])
    mine.fit(model, loader(), loader())
    assert set(model.history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
