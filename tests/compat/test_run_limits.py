"""Limits and hardware set from outside the program: what is cut, what is filled up, what stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import scene_lightning as sl
from scene_lightning._usage_report import ledger
from scene_lightning.callbacks import EarlyStopping
from scene_lightning.errors import DeviceError
from scene_lightning.training.devices import Hardware, Inventory, set_default_hardware, trainer_arguments
from scene_lightning.training.run_limits import set_trial

X = np.random.default_rng(0).random((20, 4)).astype("float32")
Y = (X.sum(1) > 2).astype("int64")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    ledger.clear()
    yield
    set_trial()
    set_default_hardware()
    ledger.clear()


def _model() -> sl.Model:
    model = sl.Sequential([sl.Input((4,)), sl.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    return model


class _Steps(sl.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.train = self.test = 0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.train += 1

    def on_test_batch_end(self, batch: int, logs: object = None) -> None:
        self.test += 1


def test_fit_is_cut_and_its_history_filled_but_evaluate_and_predict_are_whole() -> None:
    set_trial(epochs=2, batches=3)
    model, steps = _model(), _Steps()
    history = model.fit(X, Y, batch_size=2, epochs=5, validation_data=(X, Y), verbose=0, callbacks=[steps])
    assert (steps.train, steps.test) == (6, 6)
    assert history.epoch == [0, 1, 2, 3, 4]
    assert {len(values) for values in history.history.values()} == {5}
    assert history.history["val_loss"][1:] == history.history["val_loss"][1:2] * 4
    assert "2 of 5 epochs" in ledger.limited[0] and "3 of 10 batches" in ledger.limited[0]
    counted = _Steps()
    model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[counted])
    assert counted.test == 10 and model.predict(X, verbose=0).shape == (20, 2)
    assert ledger.calls == {"fit": 1, "evaluate": 1, "predict": 1}


def test_params_and_the_note_tell_what_ran() -> None:
    set_trial(batches=2)
    history = _model().fit(X, Y, batch_size=4, steps_per_epoch=5000, verbose=0)
    assert (history.params["steps"], history.params["samples"]) == (2, 8)
    history = _model().fit(X[:7], Y[:7], batch_size=4, verbose=0)
    assert (history.params["steps"], history.params["samples"]) == (2, 7)
    _model().fit(X, Y, batch_size=4, validation_data=(X, Y), verbose=0)
    assert ["validate" in cut for cut in ledger.limited] == [False, True]


def test_a_validation_that_would_come_later_comes_in_the_last_epoch() -> None:
    set_trial(epochs=1)
    history = _model().fit(X, Y, epochs=6, validation_data=(X, Y), validation_freq=3, verbose=0)
    assert len(history.history["val_loss"]) == 2 and len(history.history["loss"]) == 6


def test_a_run_that_something_else_ended_is_not_filled() -> None:
    set_trial(epochs=4)
    history = _model().fit(X, Y, epochs=9, verbose=0, callbacks=[EarlyStopping("loss", min_delta=9, patience=0)])
    assert len(history.history["loss"]) == len(history.epoch) == 2


def test_initial_epoch_counts_from_there() -> None:
    set_trial(epochs=1)
    history = _model().fit(X, Y, initial_epoch=3, epochs=6, verbose=0)
    assert history.epoch == [3, 4, 5] and len(history.history["loss"]) == 3


def test_loading_arguments_are_taken_and_named_in_the_ledger() -> None:
    _model().fit(X, Y, verbose=0, workers=4)
    assert list(ledger.ignored) == ["fit(workers=4)"]


def test_hardware_from_outside_is_a_default_that_arguments_override() -> None:
    set_default_hardware("cpu", precision="bf16-mixed")
    inventory = Inventory()
    assert trainer_arguments(Hardware(), inventory)["precision"] == "bf16-mixed"
    assert trainer_arguments(Hardware(precision="32-true"), inventory)["precision"] == "32-true"
    with pytest.raises(DeviceError, match="tpu"):
        set_default_hardware("tpu")
    assert trainer_arguments(Hardware(), inventory)["precision"] == "bf16-mixed"
