"""What Lightning's Trainer can do, done to a Keras model: the finders, schedulers, clipping, precision, loggers."""

from __future__ import annotations

import csv

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, EarlyStopping, LearningRateFinder, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.tuner import Tuner

import scene_lightning as keras
from scene_lightning import layers

RNG = np.random.default_rng(0)
X = RNG.random((24, 6, 6, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 24)
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
pytestmark = pytest.mark.filterwarnings("ignore")


def loader(batch_size=4, shuffle=False):
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=shuffle)


def compiled(optimizer="adam", cls=keras.Sequential):
    torch.manual_seed(0)
    model = cls([keras.Input((6, 6, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trainer(**options):
    return L.Trainer(**{**QUIET, "logger": False, "enable_checkpointing": False, **options})


def assert_same(first, second, atol=1e-6):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


class Folder(L.LightningDataModule):
    def __init__(self):
        super().__init__()
        self.batch_size = 2

    def train_dataloader(self):
        return loader(self.batch_size)

    def val_dataloader(self):
        return loader(self.batch_size)


@pytest.mark.parametrize("optimizer", ["adam", torch.optim.AdamW])
def test_the_tuner_finds_a_rate_and_leaves_the_model_as_it_was(optimizer, tmp_path):
    model = compiled(optimizer)
    before = model.get_weights()
    found = Tuner(trainer(max_epochs=20, default_root_dir=tmp_path)).lr_find(model, loader(), num_training=40)
    assert len(found.results["lr"]) == 40
    assert float(model.optimizer.learning_rate) == pytest.approx(found.suggestion(), rel=1e-6)
    assert model.learning_rate == float(model.optimizer.learning_rate)
    assert_same(model.get_weights(), before, atol=0)
    assert int(model.optimizer.iterations) == 0
    slots = [slot for kept in model.optimizer.state.values() for slot in kept.values()]
    assert not any(slot.any() for slot in slots)


def test_the_finder_callbacks(tmp_path):
    model = compiled()
    mine = trainer(max_epochs=8, callbacks=[LearningRateFinder(num_training_steps=20)], default_root_dir=tmp_path)
    mine.fit(model, loader())
    assert int(model.optimizer.iterations) == 48
    assert float(model.optimizer.learning_rate) == pytest.approx(mine.callbacks[0].optimal_lr.suggestion(), rel=1e-6)
    model, data = compiled(), Folder()
    finder = BatchSizeFinder(max_trials=2, steps_per_trial=1)
    trainer(max_epochs=1, callbacks=[finder], default_root_dir=tmp_path).fit(model, datamodule=data)
    assert data.batch_size == 4 and int(model.optimizer.iterations) == 6


def test_a_rate_of_the_users_own_stays_his():
    class Own(keras.Sequential):
        def __init__(self, layers=None, learning_rate=0.5):
            super().__init__(layers)
            self.learning_rate = learning_rate

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.learning_rate)

    model, mine = compiled(cls=Own), trainer(max_epochs=1)
    mine.fit(model, loader())
    assert mine.optimizers[0].param_groups[0]["lr"] == model.learning_rate == 0.5


def test_torchs_schedulers_steer_a_keras_optimizer():
    """A cycle of rate and momentum, as the same cycle goes with torch's optimizer."""

    class Cycled(keras.Sequential):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=12)
            return [optimizer], [{"scheduler": cycle, "interval": "step"}]

    found = {}
    for name, optimizer in {
        "keras": keras.optimizers.SGD(0.1, momentum=0.9),
        "torch": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    }.items():
        model, seen = compiled(optimizer, Cycled), []

        def note(batch, logs, model=model, seen=seen):
            group = model.trainer.optimizers[0].param_groups[0]
            assert float(model.optimizer.learning_rate) == pytest.approx(group["lr"])
            seen.append((group["lr"], getattr(model.optimizer, "momentum", group["momentum"])))

        trainer(max_epochs=2, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=note)]).fit(model, loader())
        found[name] = seen
    assert len({momentum for _, momentum in found["torch"]}) > 5
    np.testing.assert_allclose(found["keras"], found["torch"], rtol=1e-5)


def test_torchs_plateau_watches_what_the_model_logs():
    class Lowered(keras.Sequential):
        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), 1e-2)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=10)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}

    model = compiled(cls=Lowered)
    trainer(max_epochs=3).fit(model, loader(), loader())
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-5)  # a relative threshold of 10: never better


def test_accumulation_clipping_and_short_runs():
    two, one = compiled("sgd"), compiled("sgd")
    trainer(max_epochs=1, accumulate_grad_batches=2).fit(two, loader(4))
    trainer(max_epochs=1).fit(one, loader(8))
    assert_same(two.get_weights(), one.get_weights())
    assert int(two.optimizer.iterations) == 3
    for algorithm in ("norm", "value"):
        model = compiled(keras.optimizers.SGD(1.0))
        before = model.get_weights()
        trainer(max_steps=1, gradient_clip_val=1e-3, gradient_clip_algorithm=algorithm).fit(model, loader())
        moved = np.concatenate([(a - b).ravel() for a, b in zip(model.get_weights(), before, strict=True)])
        size = np.linalg.norm(moved) if algorithm == "norm" else np.abs(moved).max()
        assert size == pytest.approx(1e-3, rel=1e-3)
    quick = compiled()
    trainer(fast_dev_run=2).fit(quick, loader(), loader())
    assert int(quick.optimizer.iterations) == 2
    learnt, mine = compiled(keras.optimizers.Adam(0.05)), trainer(overfit_batches=1, max_epochs=80)
    mine.fit(learnt, loader(shuffle=True), loader())
    assert float(mine.callback_metrics["loss"]) < 0.1


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true", "16-mixed"])
def test_precisions(precision):
    model, plain = compiled(), compiled()
    mine, full = trainer(max_epochs=2, precision=precision), trainer(max_epochs=2)
    mine.fit(model, loader(), loader())
    full.fit(plain, loader(), loader())
    assert float(mine.callback_metrics["val_loss"]) == pytest.approx(float(full.callback_metrics["val_loss"]), rel=0.02)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.predict(X, verbose=0).dtype == np.float32


def test_loggers_monitors_and_early_stopping(tmp_path):
    model = compiled()
    monitor = LearningRateMonitor("epoch", log_momentum=True, log_weight_decay=True)
    logs = [CSVLogger(tmp_path), TensorBoardLogger(tmp_path, name="board")]
    stop = EarlyStopping(monitor="val_loss", patience=1, min_delta=1e9)
    mine = trainer(max_epochs=9, callbacks=[monitor, stop], logger=logs, log_every_n_steps=1)
    mine.fit(model, loader(), loader())
    assert mine.current_epoch == 2
    with open(tmp_path / "lightning_logs" / "version_0" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    rates = [float(row["lr-KerasOptimizer"]) for row in rows if row.get("lr-KerasOptimizer")]
    assert rates == pytest.approx([0.001, 0.001])
    assert len([row for row in rows if row["val_loss"]]) == len([row for row in rows if row["loss"]]) == 2
    assert list((tmp_path / "board" / "version_0").glob("events*"))
