"""Every kind of data in fit, evaluate and predict; the old spellings; wrong arguments."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError
from tests.models.parity import LABELS, VX, VY, N, W, X, Y, compare, compiled, network

# -- kinds of data -----------------------------------------------------------------------------------------------------


class Batches:
    """Ten samples in batches of four, as a Sequence must give them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.ended = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]

    def on_epoch_end(self):
        self.ended += 1


def _sequence(k):
    return type("Own", (Batches, k.utils.PyDataset), {})()


def _generator(k):
    while True:
        for start in range(0, N, 4):
            yield X[start : start + 4], Y[start : start + 4]


def _weighted(k):
    while True:
        for start in range(0, N, 4):
            yield X[start : start + 4], Y[start : start + 4], W[start : start + 4]


def _loader(k):
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


SOURCES = {
    "sequence": lambda k: {"x": _sequence(k)},
    "sequence with steps": lambda k: {"x": _sequence(k), "steps_per_epoch": 2},
    "sequence and class_weight": lambda k: {"x": _sequence(k), "class_weight": {0: 2.0, 1: 0.1}},
    "generator": lambda k: {"x": _generator(k), "steps_per_epoch": 3},
    "generator over the end": lambda k: {"x": _generator(k), "steps_per_epoch": 2},
    "weighted generator": lambda k: {"x": _weighted(k), "steps_per_epoch": 3},
    "loader": lambda k: {"x": _loader(k)},
    "validation sequence": lambda k: {"x": X, "y": Y, "validation_data": _sequence(k)},
    "validation loader": lambda k: {"x": X, "y": Y, "validation_data": _loader(k)},
    # One epoch: with more, Keras takes a batch more than it uses from the generator each time.
    "validation generator": lambda k: {
        "x": X,
        "y": Y,
        "validation_data": _generator(k),
        "validation_steps": 3,
        "epochs": 1,
    },
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_of_data_trains_as_in_keras(name):
    compare(lambda k: dict({"y": None, "batch_size": None}, **SOURCES[name](k)))


def test_evaluate_and_predict_take_every_kind_too():
    model = network(keras)
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    expected, outputs = model.evaluate(X, Y, batch_size=4, verbose=0), model.predict(X, verbose=0)
    for source, steps in ((_sequence(keras), None), (_generator(keras), 3), (_loader(keras), None)):
        np.testing.assert_allclose(model.evaluate(source, steps=steps, verbose=0), expected, rtol=1e-5)
    for source, steps in ((_sequence(keras), None), (_generator(keras), 3), (_loader(keras), None)):
        np.testing.assert_allclose(model.predict(source, steps=steps, verbose=0), outputs, atol=1e-6)
    assert model.predict(X, batch_size=4, steps=2, verbose=0).shape == (8, 3)
    assert np.isscalar(compiled(metrics=None).evaluate(X, Y, verbose=0))


def test_a_sequence_is_told_of_each_epoch():
    model, sequence = compiled(), _sequence(keras)
    model.fit(sequence, epochs=3, verbose=0)
    assert sequence.ended == 3


def test_data_that_run_out_end_the_epoch_with_keras_warning():
    model = compiled()
    with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training"):
        history = model.fit(X, Y, batch_size=4, steps_per_epoch=5, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    finite = ((X[i : i + 4], Y[i : i + 4]) for i in (0, 4))
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(finite, steps_per_epoch=5, verbose=0)
    assert len(history.history["loss"]) == 1


def test_validation_data_of_unknown_length_are_read_whole_each_time():
    seen = []

    class Endless:
        def __iter__(self):
            seen.append("start")
            yield from ((VX[i : i + 2], VY[i : i + 2]) for i in (0, 2, 4))

    model = compiled()
    history = model.fit(X, Y, epochs=2, validation_data=Endless(), verbose=0, shuffle=False).history
    assert len(seen) >= 2
    assert history["val_loss"][1] == pytest.approx(
        model.evaluate(VX, VY, verbose=0, return_dict=True)["loss"], rel=1e-5
    )


# -- old spellings -----------------------------------------------------------------------------------------------------


def _one_warning(call, match):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    found = [str(w.message) for w in caught if w.category is DeprecationWarning and "spelling" in str(w.message)]
    assert len(found) == 1 and match in found[0], found
    assert not [w for w in caught if "ran out of data" in str(w.message)]
    return result


def test_old_verbs_warn_once_and_work():
    model = compiled()
    history = _one_warning(
        lambda: model.fit_generator(
            _loader(keras), steps_per_epoch=7, epochs=2, verbose=0, validation_data=_loader(keras), validation_steps=4
        ),
        "fit",
    )
    assert len(history.history["val_loss"]) == 2 and int(model.optimizer.iterations) == 14
    expected = model.evaluate(X, Y, batch_size=4, verbose=0)
    np.testing.assert_allclose(
        _one_warning(lambda: model.evaluate_generator(_loader(keras), 3), "evaluate"), expected, rtol=1e-5
    )
    probabilities = _one_warning(lambda: model.predict_generator(_loader(keras), steps=3), "predict")
    np.testing.assert_allclose(probabilities, model.predict(X, verbose=0), atol=1e-6)
    assert _one_warning(lambda: model.predict_classes(X), "argmax").tolist() == probabilities.argmax(-1).tolist()
    np.testing.assert_allclose(_one_warning(lambda: model.predict_proba(X), "predict"), probabilities, atol=1e-6)
    history = _one_warning(
        lambda: model.fit_generator(_loader(keras), 10 / 4, verbose=0), "fit"
    )  # float steps round up
    assert history.params["steps"] == 3


def test_an_old_verb_in_a_loop_warns_once_and_names_the_line_of_the_program():
    model = compiled()

    def loop():
        for _ in range(3):
            warnings.filterwarnings("ignore", message="anything")  # as libraries do; it makes Python forget
            model.predict_classes(X)

    _one_warning(loop, "predict_classes")
    with pytest.warns(DeprecationWarning, match="nb_epoch") as caught:
        model.fit(X, Y, nb_epoch=1, verbose=0)
    assert caught[0].filename == __file__


def test_keras_1_counts_samples():
    model = compiled()
    loader = _loader(keras)
    with pytest.warns(DeprecationWarning):
        history = model.fit_generator(
            loader, samples_per_epoch=8, nb_epoch=3, validation_data=_loader(keras), nb_val_samples=8, verbose=0
        )
    assert len(history.epoch) == 3 and int(model.optimizer.iterations) == 6
    with pytest.warns(DeprecationWarning):
        assert len(model.fit(X, Y, nb_epoch=2, verbose=0).epoch) == 2


def test_old_keyword_arguments_are_taken():
    model = compiled()
    model.fit(X, Y, verbose=0, workers=4, use_multiprocessing=True, max_queue_size=3)
    model.evaluate(X, Y, verbose=0, workers=2)
    model.predict(X, verbose=0, max_queue_size=1)
    with pytest.raises((InputError, TypeError), match="nonsense"):
        model.fit(X, Y, verbose=0, nonsense=1)


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"validation_split": 0.99}, "not sufficient"),
        ({"validation_split": 1.5}, "between 0 and 1"),
        ({"x": _loader(keras), "y": None, "validation_split": 0.2}, "validation_split"),
        ({"validation_freq": 0, "validation_data": (VX, VY)}, "validation_freq"),
        ({"y": Y[:3]}, "ambiguous"),
        ({"x": X[:, :2]}, "expects inputs of shape"),
        ({"y": np.eye(4, dtype="float32")[LABELS]}, "shape"),
        ({"class_weight": "balanced"}, "class_weight"),
        ({"class_weight": {0: 1.0}, "sample_weight": W}, "at the same time"),
        ({"steps_per_epoch": -1}, "steps"),
        ({"callbacks": [keras.callbacks.EarlyStopping]}, "callback"),
        ({"epochs": "three"}, "epochs"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        compiled().fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
