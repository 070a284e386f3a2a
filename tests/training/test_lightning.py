"""The model in a Lightning user's hands: his own Trainer, callbacks, loggers, checkpoints, several processes."""

from __future__ import annotations

import csv

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

import scene_lightning as keras
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 3), dtype=np.float32)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 12)]
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}


def network(dropout=0.5):
    return keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def compiled(dropout=0.5, **kwargs):
    torch.manual_seed(1)
    model = network(dropout)
    model.compile(
        **{
            "optimizer": keras.optimizers.Adam(0.01),
            "loss": "categorical_crossentropy",
            "metrics": ["accuracy"],
            **kwargs,
        }
    )
    return model


def loader(batch_size=4):
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=batch_size)


@pytest.mark.filterwarnings("ignore")
def test_a_users_own_trainer_fits_validates_tests_and_predicts(tmp_path):
    model = compiled(dropout=0.0)
    reference = keras.models.clone_model(model)
    reference.set_weights(model.get_weights())
    reference.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    checkpoint = ModelCheckpoint(tmp_path, monitor="val_loss", filename="best-{epoch}-{val_loss:.2f}")
    trainer = L.Trainer(
        max_epochs=3,
        callbacks=[checkpoint, EarlyStopping("val_loss", patience=5)],
        logger=[CSVLogger(tmp_path, name="csv"), TensorBoardLogger(tmp_path, name="board")],
        log_every_n_steps=1,
        **QUIET,
    )
    trainer.fit(model, loader(), loader())
    history = reference.fit(X, Y, batch_size=4, epochs=3, shuffle=False, validation_data=(X, Y), verbose=0).history
    for a, b in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert float(trainer.callback_metrics[name]) == pytest.approx(history[name][-1], rel=1e-5)
    validated = trainer.validate(model, loader(), verbose=False)[0]
    tested = trainer.test(model, loader(), verbose=False)[0]
    assert (
        tested["test_loss"] == pytest.approx(validated["val_loss"]) == pytest.approx(history["val_loss"][-1], rel=1e-5)
    )
    batches = trainer.predict(model, loader())
    np.testing.assert_allclose(
        torch.cat([b[0] if isinstance(b, tuple) else b for b in batches]).numpy(),
        model.predict(X, verbose=0),
        atol=1e-6,
    )
    with open(tmp_path / "csv" / "version_0" / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val_loss")]
    assert len(rows) >= 3 and float(rows[-1]["val_loss"]) == pytest.approx(history["val_loss"][-1], rel=1e-4)
    assert list((tmp_path / "board" / "version_0").glob("events*"))
    best = keras.models.load_model(checkpoint.best_model_path)
    assert best.evaluate(X, Y, verbose=0)[0] == pytest.approx(float(checkpoint.best_model_score), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_lightnings_callbacks_work_in_fit(tmp_path):
    model = compiled(dropout=0.0)
    checkpoint = ModelCheckpoint(tmp_path, monitor="val_loss", save_top_k=1)
    stop = EarlyStopping("val_loss", patience=0, min_delta=1e9)
    history = model.fit(
        X, Y, epochs=6, validation_data=(X, Y), callbacks=[checkpoint, stop], verbose=0, logger=CSVLogger(tmp_path)
    )
    assert len(history.epoch) == 2
    assert keras.models.load_model(checkpoint.best_model_path).predict(X, verbose=0).shape == (12, 3)


class StopAfter(keras.callbacks.Callback):
    """Ends the training as an interruption would, after an epoch's checkpoint."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.epoch


def _fit(epochs, folder=None, stop=None, **kwargs):
    torch.manual_seed(7)
    model = compiled(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.7)))
    model.training_seed = 3
    callbacks = [] if folder is None else [ModelCheckpoint(folder, save_last=True, save_on_train_epoch_end=True)]
    if stop is not None:
        callbacks.append(StopAfter(stop))
    torch.manual_seed(11)
    history = model.fit(
        X, Y, batch_size=5, epochs=epochs, validation_data=(X, Y), verbose=0, callbacks=callbacks, **kwargs
    )
    return model, history


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole, history = _fit(4)
    _fit(4, tmp_path, stop=1)
    resumed, rest = _fit(4, ckpt_path=str(tmp_path / "last.ckpt"))
    assert rest.epoch == [2, 3]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, values in rest.history.items():
        np.testing.assert_allclose(values, history.history[name][2:], rtol=1e-6)
    assert int(resumed.optimizer.iterations) == int(whole.optimizer.iterations) == 12


@pytest.mark.filterwarnings("ignore")
def test_resuming_with_initial_epoch_on_a_loaded_model_is_exact_too(tmp_path):
    whole, _ = _fit(4)
    half, _ = _fit(2)
    half.save(tmp_path / "half.ckpt")
    loaded = keras.models.load_model(tmp_path / "half.ckpt")
    loaded.training_seed = 3
    torch.manual_seed(11)
    loaded.fit(X, Y, batch_size=5, epochs=4, initial_epoch=2, validation_data=(X, Y), verbose=0)
    for a, b in zip(whole.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return zip(torch.from_numpy(X), torch.from_numpy(Y), strict=True)


def test_an_unbuilt_model_in_a_trainer_is_built_from_its_first_sample_or_says_how_to_build_it():
    def unbuilt():
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "categorical_crossentropy")
        return model

    def trainer():
        return L.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, **QUIET)

    model = unbuilt()
    trainer().fit(model, loader())
    assert model.count_params() == 4 * 4 * 3 * 3 + 3
    stream = torch.utils.data.DataLoader(Stream(), batch_size=4)  # a look would take a batch away
    with pytest.raises(InputError, match=r"build\(\(None, height"):
        trainer().fit(unbuilt(), stream)
    model = unbuilt()
    model.example_input_array = torch.zeros(1, 4, 4, 3)
    trainer().fit(model, stream)
    assert model.built and int(model.optimizer.iterations) == 3


def test_gradient_accumulation_and_other_trainer_options_pass_through():
    model = compiled(dropout=0.0)
    model.fit(X, Y, batch_size=3, verbose=0, accumulate_grad_batches=2)
    assert int(model.optimizer.iterations) == 2
    model.fit(X, Y, batch_size=3, verbose=0, limit_train_batches=1)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize("data", ["arrays", "steps", "class_weight"])
def test_two_processes_train_one_model(data, monkeypatch):
    """Two processes on the CPU take the steps that one takes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # Lightning then leaves torch's two threads, which a fork does not have
    class_weight = {0: 2.0, 1: 0.5, 2: 1.0} if data == "class_weight" else None
    single, double = compiled(dropout=0.0), compiled(dropout=0.0)
    for model in (single, double):  # batch statistics differ between processes: without BatchNormalization
        model.layers[2].trainable = False
        model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    common = dict(epochs=2, shuffle=False, verbose=0, class_weight=class_weight)
    steps = {} if data != "steps" else {"steps_per_epoch": 1}
    one = single.fit(X, Y, batch_size=4, **common, **steps).history
    children = dict(accelerator="cpu", devices=2, strategy="ddp_fork")
    two = double.fit(X, Y, batch_size=4, **common, **steps, **children).history
    assert list(one) == list(two)
    assert int(double.optimizer.iterations) == int(single.optimizer.iterations)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-4)
    for a, b in zip(single.get_weights(), double.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_evaluate_on_two_processes_counts_every_sample_once():
    model = compiled()
    expected = model.evaluate(X[:11], Y[:11], batch_size=2, verbose=0)
    found = model.evaluate(X[:11], Y[:11], batch_size=2, verbose=0, accelerator="cpu", devices=2, strategy="ddp_fork")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Seen(L.Callback):
    """What a Lightning user's own callback finds in the trainer."""

    def __init__(self):
        self.metrics, self.bar = set(), set()

    def on_train_batch_start(self, trainer, *_):
        self.metrics |= set(trainer.callback_metrics)

    def on_train_epoch_end(self, trainer, *_):
        self.metrics |= set(trainer.callback_metrics) | set(trainer.logged_metrics)
        self.bar |= set(trainer.progress_bar_metrics)


@pytest.mark.filterwarnings("ignore")
def test_checkpoints_by_steps_keep_lightnings_names(tmp_path):
    for folder, run in (("own", _in_a_trainer_of_ones_own), ("fit", _in_fit)):
        by_steps = ModelCheckpoint(tmp_path / folder, every_n_train_steps=2, save_top_k=-1)
        seen = Seen()
        run([by_steps, seen], CSVLogger(tmp_path / f"{folder}-log"))
        names = sorted(path.stem for path in (tmp_path / folder).glob("*.ckpt"))
        assert names == ["epoch=0-step=2", "epoch=1-step=4", "epoch=1-step=6"]
        assert seen.metrics == {"loss", "accuracy", "val_loss", "val_accuracy"} and not seen.bar


def _in_a_trainer_of_ones_own(callbacks, logger):
    L.Trainer(max_epochs=2, callbacks=callbacks, logger=logger, **QUIET).fit(compiled(), loader(), loader())


def _in_fit(callbacks, logger):
    data = dict(validation_data=(X, Y), accelerator="cpu")
    compiled().fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=callbacks, logger=logger, **data)


@pytest.mark.filterwarnings("ignore")
def test_loggers_draw_against_epochs_in_fit_and_against_steps_in_a_trainer(tmp_path):
    drawn = {}
    for name, run in (("fit", _in_fit), ("own", _in_a_trainer_of_ones_own)):
        run([], CSVLogger(tmp_path / name))
        with open(tmp_path / name / "lightning_logs" / "version_0" / "metrics.csv") as file:
            drawn[name] = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file) if row["loss"]]
    assert [step for step, _ in drawn["fit"]] == [1, 2]
    assert [step for step, _ in drawn["own"]] == [2, 5]  # Lightning's own way


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_finds_nothing_of_an_earlier_fit(tmp_path):
    model = compiled()
    model.fit(X, Y, batch_size=4, epochs=6, initial_epoch=5, verbose=0, accelerator="cpu")
    by_steps = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1)
    logger = CSVLogger(tmp_path)
    L.Trainer(max_epochs=1, callbacks=[by_steps], logger=logger, **QUIET).fit(model, loader())
    assert [path.stem for path in tmp_path.glob("*.ckpt")] == ["epoch=0-step=3"]
    with open(tmp_path / "lightning_logs" / "version_0" / "metrics.csv") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2"]


class Counting(keras.Sequential):
    """A model with a metric of its own, as Keras' guides write it."""

    def __init__(self, layers):
        super().__init__(layers)
        self.seen = keras.metrics.Sum(name="seen")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.seen.update_state(torch.ones(len(x)))
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "seen": self.seen.result()}


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.filterwarnings("ignore")
def test_validations_in_mid_epoch_leave_the_epochs_logs_whole(times):
    found = {}
    for own in (False, True):
        torch.manual_seed(1)
        layers = [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
        model = Counting(layers) if own else keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
        options = dict(max_epochs=1, logger=False, enable_checkpointing=False, val_check_interval=1 / times)
        trainer = L.Trainer(**options, **QUIET)
        trainer.fit(model, loader(), loader(2))
        found[own] = {name: float(value) for name, value in trainer.callback_metrics.items()}
    torch.manual_seed(1)
    model = keras.Sequential([*layers[:1], keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    wanted = model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history
    for name in ("loss", "accuracy"):
        assert found[False][name] == pytest.approx(wanted[name][0], rel=1e-5)
    assert found[True]["seen"] == found[True]["val_seen"] == 12
