"""A Trainer resumes a Keras model from any checkpoint bit by bit, in mid-epoch too, with dropout and shuffling."""

from __future__ import annotations

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.training.resume import random_state, restore_random_state

RNG = np.random.default_rng(0)
X = RNG.random((24, 4, 4, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 24)
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
pytestmark = pytest.mark.filterwarnings("ignore")


def loader(shuffle):
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4, shuffle=shuffle)


def compiled(seed=None, optimizer="adam"):
    torch.manual_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(8, activation="relu")])
    for layer in (layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3, activation="softmax")):
        model.add(layer)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.training_seed = seed
    return model


def assert_equal(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(one.optimizer.iterations) == int(other.optimizer.iterations)


CASES = {  # shuffled, validated, training_seed, accumulate, steps between checkpoints (None: each epoch's end)
    "plain": (False, False, None, 1, 4),
    "shuffled": (True, False, None, 1, 3),
    "validated": (True, True, None, 1, 5),
    "seeded": (True, True, 3, 1, 5),
    "accumulated": (True, False, None, 2, 2),
    "epochs": (True, True, None, 1, None),
    "seeded epochs": (True, True, 3, 1, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_trainer_goes_on_as_it_would_have(case, tmp_path):
    shuffled, validated, seed, accumulate, every = CASES[case]

    def run(chance, *callbacks, path=None):
        model = compiled(seed)
        torch.manual_seed(chance)
        trainer = L.Trainer(
            max_epochs=3, callbacks=list(callbacks), logger=False, enable_checkpointing=bool(callbacks),
            accumulate_grad_batches=accumulate, **QUIET,
        )  # fmt: skip
        trainer.fit(model, loader(shuffled), loader(False) if validated else None, ckpt_path=path)
        return model

    monitor = "val_loss" if validated and every is None else None
    whole = run(5)
    saved = run(5, ModelCheckpoint(tmp_path, every_n_train_steps=every, save_top_k=-1, monitor=monitor))
    assert_equal(whole, saved)
    paths = sorted(tmp_path.glob("*.ckpt"))
    assert len(paths) >= 3
    for path in paths:
        assert_equal(whole, run(99, path=path))


@pytest.mark.parametrize("optimizer", ["adam", torch.optim.AdamW])
def test_fit_goes_on_as_it_would_have(optimizer, tmp_path):
    def run(chance, *callbacks, path=None):
        model = compiled(optimizer=optimizer)
        torch.manual_seed(chance)
        begun = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
        epochs = []
        history = model.fit(
            X, Y, batch_size=4, epochs=3, validation_data=(X, Y), verbose=0, callbacks=[*callbacks, begun],
            ckpt_path=path,
        )  # fmt: skip
        assert epochs == history.epoch  # an epoch that is resumed in its middle is announced as well
        return model, history

    whole, history = run(5)
    run(5, ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=-1))
    paths = sorted(tmp_path.glob("*.ckpt"))
    assert len(paths) == 4
    for path in paths:
        resumed, rest = run(99, path=str(path))
        assert_equal(whole, resumed)
        for name, values in history.history.items():  # those of training too, whose epoch began before
            assert rest.history[name] == values[rest.epoch[0] :], name


def test_an_iterator_without_a_seed_goes_on_in_its_order(tmp_path):
    generator = keras.preprocessing.image.ImageDataGenerator(horizontal_flip=True)

    def run(chance, *callbacks, path=None):
        model = compiled()
        np.random.seed(chance)  # which the iterator draws its order from
        flow = generator.flow(X, Y, batch_size=4)
        model.fit(flow, epochs=3, verbose=0, callbacks=[*callbacks], ckpt_path=path)
        return model

    whole = run(5)
    run(5, ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=-1))
    for path in tmp_path.glob("*.ckpt"):
        assert_equal(whole, run(99, path=str(path)))


class KeepsItsPlace:
    """A loader with Lightning's `state_dict` and `load_state_dict`: nothing is passed over for it."""

    def __init__(self):
        self.given = self.start = 0

    def __len__(self):
        return 6

    def __iter__(self):
        begin, self.start, self.given = self.start, 0, self.start
        for number in range(begin, 6):
            self.given = number + 1
            part = slice(4 * number, 4 * number + 4)
            yield torch.from_numpy(X[part]), torch.from_numpy(Y[part])

    def state_dict(self):
        return {"given": self.given}

    def load_state_dict(self, state):
        self.start = state["given"]


def test_a_loader_that_keeps_its_place_is_left_to_it(tmp_path):
    def run(data, *callbacks, path=None):
        model = compiled()
        torch.manual_seed(5)
        trainer = L.Trainer(
            max_epochs=2, callbacks=list(callbacks), logger=False, enable_checkpointing=bool(callbacks), **QUIET
        )
        trainer.fit(model, data, ckpt_path=path)
        return model

    whole = run(KeepsItsPlace())
    run(KeepsItsPlace(), ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=1))
    for path in tmp_path.glob("*.ckpt"):
        assert_equal(whole, run(KeepsItsPlace(), path=path))


@pytest.mark.parametrize(
    "metrics",
    [lambda: ["accuracy"], lambda: [keras.metrics.AUC(name="auc"), keras.metrics.F1Score()], list],
    ids=["chosen by shapes", "objects", "none"],
)
def test_what_metrics_had_counted_is_kept(metrics, tmp_path):
    labels = keras.utils.to_categorical(Y, 3)

    def run(*callbacks, path=None):
        model = compiled(7)
        model.compile("sgd", "categorical_crossentropy", metrics=metrics())
        return model.fit(X, labels, batch_size=4, epochs=2, verbose=0, callbacks=[*callbacks], ckpt_path=path).history

    whole = run()
    run(ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1))
    for path in sorted(tmp_path.glob("*.ckpt")):
        rest = run(path=str(path))
        for name, values in rest.items():
            np.testing.assert_array_equal(values, whole[name][2 - len(values) :], err_msg=f"{name} from {path.name}")


class Scripted(keras.callbacks.Callback):
    """Puts values of its own into the logs, before the callbacks after it look at them."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["watched"] = self.values[epoch]


VALUES = [5.0, 4.0, 4.5, 4.6, 4.7, 3.0, 3.5, 3.6]


@pytest.mark.parametrize("epoch", range(1, 8))
@pytest.mark.parametrize("kind", ["early stopping", "plateau", "checkpoint"])
def test_callbacks_keep_their_state(kind, epoch, tmp_path):
    saved = []

    class Noting(keras.callbacks.ModelCheckpoint):
        def _write(self, filepath):
            saved.append(filepath)

    def run(*callbacks, path=None):
        made = {
            "early stopping": lambda: keras.callbacks.EarlyStopping(
                "watched", patience=3, mode="min", restore_best_weights=True
            ),
            "plateau": lambda: keras.callbacks.ReduceLROnPlateau("watched", factor=0.5, patience=2, mode="min"),
            "checkpoint": lambda: Noting("{epoch}.keras", "watched", save_best_only=True, mode="min"),
        }[kind]()
        model = compiled(3)
        history = model.fit(
            X, Y, batch_size=8, epochs=8, verbose=0, callbacks=[Scripted(VALUES), made, *callbacks], ckpt_path=path
        )
        return model, history

    whole, history = run()
    names = list(saved)
    if epoch >= len(history.epoch):
        return
    run(ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True))
    saved.clear()
    resumed, rest = run(path=str(tmp_path / f"epoch={epoch - 1}.ckpt"))
    assert rest.epoch == history.epoch[epoch:]
    assert saved == [name for name in names if int(name.removesuffix(".keras")) > epoch]
    assert_equal(whole, resumed)
    assert float(resumed.optimizer.learning_rate) == float(whole.optimizer.learning_rate)


def test_a_training_that_was_stopped_early_stays_stopped(tmp_path):
    def run(*callbacks, path=None):
        model = compiled(3)
        stopping = keras.callbacks.EarlyStopping("watched", patience=1, mode="min", restore_best_weights=True)
        history = model.fit(
            X, Y, batch_size=8, epochs=8, verbose=0, callbacks=[Scripted(VALUES), stopping, *callbacks], ckpt_path=path
        )
        return model, history

    whole, history = run(ModelCheckpoint(tmp_path, filename="{epoch}", save_on_train_epoch_end=True))
    assert history.epoch == [0, 1, 2]
    resumed, rest = run(path=str(tmp_path / "epoch=2.ckpt"))
    assert rest.epoch == []
    assert_equal(whole, resumed)


def test_a_gpu_that_nobody_uses_is_not_asked(monkeypatch):
    """Processes forked on a machine with a GPU, which train on the processor, cannot ask it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: pytest.fail("asked"))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    restore_random_state(random_state())
