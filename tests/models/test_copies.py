"""Copies and pickles of models, before and after training: a copy answers alike and goes on training alike."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging, WeightAveraging

import scene_lightning as keras
from scene_lightning.preprocessing.image import ImageDataGenerator

RNG = np.random.default_rng(0)
X = RNG.random((8, 8, 8, 3), dtype=np.float32)
Y = np.eye(2, dtype=np.float32)[[0, 1] * 4]
QUIET = {"verbose": 0, "accelerator": "cpu"}


def _stack():
    layers = keras.layers
    return [
        layers.Conv2D(2, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    ]  # fmt: skip


def sequential():
    return keras.Sequential([keras.Input((8, 8, 3)), *_stack()])


def functional():
    image = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(3, 3, padding="same")(image)
    values = keras.layers.Flatten()(first * 2.0 + image)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(values))


class Subclassed(keras.Model):
    """As Keras' guides write it."""

    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential(_stack())

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)


OPTIMIZERS = {
    "adam": lambda: "adam",
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.7)),
    "ema": lambda: keras.optimizers.RMSprop(clipnorm=1.0, use_ema=True),
}
WAYS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "torch.save": lambda thing: _through_a_file(thing, torch.save, lambda f: torch.load(f, weights_only=False)),
    "old pickle": lambda thing: pickle.loads(pickle.dumps(thing, protocol=2)),
}


def _through_a_file(thing, write, read):
    file = io.BytesIO()
    write(thing, file)
    file.seek(0)
    return read(file)


def fitted(make=sequential, optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy", keras.metrics.AUC()])
    model.fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), **QUIET)
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("make", [sequential, functional, Subclassed])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_copy_of_a_fitted_model_goes_on_as_the_model_does(way, make, optimizer):
    model = fitted(make, optimizer())
    twin = way(model)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    further = dict(batch_size=4, epochs=2, shuffle=False, **QUIET)
    assert twin.fit(X, Y, **further).history == model.fit(X, Y, **further).history
    assert int(twin.optimizer.iterations) == int(model.optimizer.iterations) == 8
    before = model.get_weights()
    twin.fit(X, Y, **further)  # on its own weights
    for a, b, c in zip(before, model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    if not model.optimizer.has_schedule:
        rate = float(model.optimizer.learning_rate)
        twin.optimizer.learning_rate = 0.25
        assert float(model.optimizer.learning_rate) == rate


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_deep_networks_keep_their_graph(way):
    """A call knows its input, and so on: followed one by one that is deeper than Python recurses."""
    image = keras.Input((8, 8, 3))
    values = image
    for _ in range(150):
        values = keras.layers.Add()([values, keras.layers.Dense(3)(values)])
    model = keras.Model(image, keras.layers.Flatten()(values))
    twin = way(model)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    assert twin.to_json() == model.to_json()
    part = keras.Model(twin.input, keras.layers.Dense(1)(twin.layers[20].output))
    assert part.predict(X, verbose=0).shape == (8, 8, 8, 1)


@pytest.mark.parametrize("way", [WAYS["deepcopy"], WAYS["pickle"]])
def test_models_that_share_layers_share_them_in_the_copy(way):
    encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    whole = keras.Model(encoder.input, keras.layers.Dense(2)(encoder.output))
    middle = keras.Model(whole.layers[1].output, whole.output)  # begins inside
    a, b, c = way((encoder, whole, middle))
    assert a.layers[-1] is b.layers[2]
    for twin, model, x in ((a, encoder, X), (b, whole, X), (c, middle, X.reshape(8, -1))):
        np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    a.layers[-1].set_weights([np.zeros((192, 4)), np.ones(4)])
    assert (b.predict(X, verbose=0) == b.predict(X[:1], verbose=0)).all()


@pytest.mark.parametrize("way", [WAYS["deepcopy"], WAYS["pickle"]])
@pytest.mark.parametrize("state", ["unbuilt", "compiled", "built"])
def test_before_training(way, state):
    model = keras.Sequential(_stack())
    if state != "unbuilt":
        model.compile("adam", "categorical_crossentropy")
    if state == "built":
        model.build((None, 8, 8, 3))
    twin = way(model)
    assert twin.built == model.built and twin.compiled == model.compiled
    if state != "unbuilt":
        assert np.isfinite(twin.fit(X, Y, **QUIET).history["loss"][0])
    assert model.compiled == (state != "unbuilt") and model.built == (state == "built")


def test_a_shallow_copy_has_the_same_layers():
    model = fitted()
    twin = copy.copy(model)
    assert [a is b for a, b in zip(twin.layers, model.layers, strict=True)] == [True] * 4
    assert keras.Model(twin.inputs, twin.layers[1].output).predict(X, verbose=0).shape == (8, 6, 6, 2)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("way", [WAYS["deepcopy"], WAYS["pickle"]])
def test_copies_taken_during_training(way):
    twins = []

    class Keeps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            twins.append((way(self.model), self.model.get_weights()))

        def on_epoch_end(self, epoch, logs=None):
            twins.append((way(self.model), self.model.get_weights()))
            twins[-1][0].fit(X, Y, **QUIET)
            twins.pop()

    keras.utils.set_random_seed(1)
    model = sequential()
    model.compile("adam", "categorical_crossentropy")
    history = model.fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), callbacks=[Keeps()], **QUIET)
    assert len(history.epoch) == 2 and len(twins) == 4
    for twin, weights in twins:
        for a, b in zip(twin.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("way", [WAYS["deepcopy"], WAYS["pickle"]])
def test_what_belongs_to_a_training_travels_too(way, tmp_path):
    callbacks = [
        keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True), keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint(str(tmp_path / "best.keras")),
    ]  # fmt: skip
    model = sequential()
    model.compile("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"])
    history = model.fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=callbacks, **QUIET)
    assert way(history).history == history.history and way(history).epoch == [0, 1]
    assert way(history.history)["acc"] == history.history["accuracy"]
    assert int(way(model.optimizer).iterations) == 2
    for thing in (*callbacks, *model.layers, *model.metrics, model.loss, keras.metrics.AUC()):
        assert type(way(thing)) is type(thing)
    stopping = way(callbacks[0])
    assert stopping.best == callbacks[0].best and len(stopping.best_weights) == len(model.get_weights())


@pytest.mark.parametrize("way", [WAYS["deepcopy"], WAYS["pickle"]])
def test_iterators_go_on_where_they_were(way):
    generator = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    images = generator.flow(X * 255, Y, batch_size=3, seed=5)
    next(images)
    twin = way(images)
    for _ in range(4):
        for a, b in zip(next(twin), next(images), strict=True):
            np.testing.assert_array_equal(a, b)
    assert way(generator).rotation_range == 20


def _ema(weights, decay=0.9):
    average = weights[0]
    for now in weights[1:]:
        average = [decay * a + (1 - decay) * b for a, b in zip(average, now, strict=True)]
    return average


@pytest.mark.filterwarnings("ignore")
def test_lightnings_averages_in_a_second_fit():
    """Their callbacks copy the model, which after a fit has an optimizer with a past."""
    model = fitted()
    seen = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: seen.append(model.get_weights()))
    start = model.get_weights()
    averaging = EMAWeightAveraging(decay=0.9)
    model.fit(X, Y, batch_size=4, epochs=3, callbacks=[record, averaging], **QUIET)
    assert len(seen) == 6
    for a, b in zip(model.get_weights(), _ema([seen[0], *seen[1:]]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert any((a != b).any() for a, b in zip(start, model.get_weights(), strict=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [lambda: StochasticWeightAveraging(1e-2, swa_epoch_start=1), WeightAveraging])
def test_lightnings_averages_again_and_again(make):
    model = fitted()
    for callback in (make(), make()):
        history = model.fit(X, Y, batch_size=4, epochs=3, validation_data=(X, Y), callbacks=[callback], **QUIET)
        assert len(history.epoch) == 3 and np.isfinite(history.history["val_loss"]).all()
    assert np.isfinite(copy.deepcopy(model).evaluate(X, Y, verbose=0)).all()


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_functions_without_a_name_travel(take) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x * 2), layers.Dense(2)])
    model.compile("adam", lambda y, p: keras.ops.mean((y - p) ** 2))
    x, y = RNG.random((6, 4), dtype=np.float32), RNG.random((6, 2), dtype=np.float32)
    model.fit(x, y, **QUIET)
    again = take(model)
    assert np.array_equal(again.predict(x, **QUIET), model.predict(x, **QUIET))
    losses = [m.fit(x, y, shuffle=False, **QUIET).history["loss"] for m in (copy.deepcopy(model), copy.deepcopy(again))]
    assert losses[0] == losses[1]
