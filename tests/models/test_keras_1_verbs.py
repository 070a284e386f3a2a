"""The verbs as programs for Keras 1 call them: counts of samples, old names, labels in a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning._usage_report import ledger
from scene_lightning.errors import InputError
from scene_lightning.layers.base.legacy_spelling import old_keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
X = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")
LABELS = [0, 1, 1] * 8


def compiled() -> Any:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    return model


class Batches(keras.utils.Sequence):
    batch_size = 6

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        part = slice(index * 6, index * 6 + 6)
        return X[part], np.asarray(LABELS[part])


def test_labels_in_a_list_are_split_with_the_images() -> None:
    history = compiled().fit(X, LABELS, nb_epoch=2, validation_split=0.25, verbose=0)
    assert len(history.history["val_acc"]) == 2
    with_lists = compiled().fit(X.tolist(), LABELS, epochs=1, validation_split=0.25, verbose=0)
    assert with_lists.params["steps"] == 1


def test_generator_verbs_count_samples_and_take_old_names() -> None:
    model, batches = compiled(), Batches()
    history = model.fit_generator(
        batches, samples_per_epoch=24, nb_epoch=1, validation_data=batches, nb_val_samples=12, nb_worker=1,
        max_q_size=2, pickle_safe=False, verbose=0,
    )  # fmt: skip
    assert history.params["steps"] == 4
    assert model.predict_generator(batches, val_samples=12, nb_worker=2).shape == (12, 1)
    loss, accuracy = model.evaluate_generator(batches, val_samples=24, max_q_size=10)
    assert [loss, accuracy] == pytest.approx(model.evaluate(X, np.asarray(LABELS), verbose=0), abs=1e-5)


def test_a_class_weight_that_is_no_dict_does_nothing_in_fit_generator() -> None:
    ledger.clear()
    compiled().fit_generator(Batches(), steps_per_epoch=1, class_weight=np.array([1.0, 2.0]), verbose=0)
    assert ledger.ignored == {"class_weight=ndarray": "Keras 2 ignored all but a dict {class: weight}"}
    with pytest.raises(InputError, match="class_weight must map"):
        compiled().fit(X, np.asarray(LABELS), class_weight="auto", verbose=0)
    old_keras.believe(("nb_epoch=",))
    try:
        compiled().fit(X, np.asarray(LABELS), class_weight="auto", verbose=0)
    finally:
        old_keras.believe(())
    assert "class_weight='auto'" in ledger.ignored
    ledger.clear()


def test_validation_steps_are_for_generators() -> None:
    history = compiled().fit_generator(
        Batches(), steps_per_epoch=1, validation_data=(X, np.asarray(LABELS)), validation_steps=0, verbose=0
    )
    assert len(history.history["val_loss"]) == 1


def test_show_accuracy_of_keras_0_is_taken_and_noted() -> None:
    ledger.clear()
    model = compiled()
    history = model.fit(X, LABELS, nb_epoch=1, show_accuracy=True, verbose=0)
    assert history.params["epochs"] == 1
    assert len(model.evaluate(X, np.asarray(LABELS), show_accuracy=True, verbose=0)) == 2
    model.fit_generator(Batches(), steps_per_epoch=1, show_accuracy=False, verbose=0)
    assert list(ledger.ignored) == ["show_accuracy=True"]


def test_a_served_model_makes_its_predict_function_first() -> None:
    model = compiled()
    assert model._make_predict_function() is None
    assert model.make_predict_function()(X[:2]).shape == (2, 1)
