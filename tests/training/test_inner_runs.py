"""Verbs inside a run: what callbacks call on the model that is being trained leaves its training as it was."""

from __future__ import annotations

import lightning as L
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import fast

RNG = np.random.default_rng(0)
X = RNG.random((12, 8, 8, 3), dtype=np.float32)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 12)]
FIT_HOOKS = (
    "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_test_begin",
    "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end",
)  # fmt: skip


def network(**compiled):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(**{"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"], **compiled})
    return model


class Calls(keras.callbacks.Callback):
    """Calls a function with the model at the hooks named, and keeps what it gave."""

    def __init__(self, call, hooks=FIT_HOOKS):
        super().__init__()
        self.found = []
        for hook in hooks:
            setattr(self, hook, lambda *args, **kwargs: self.found.append(call(self.model)))


def trained(call, hooks=FIT_HOOKS, **options):
    """(history, weights, what the calls gave) of a training with validation during which `call` is made."""
    model, calls = network(), Calls(call, hooks)
    options = {"batch_size": 4, "epochs": 2, "validation_data": (X, Y), "verbose": 0, "accelerator": "cpu", **options}
    history = model.fit(X, Y, callbacks=[calls], **options)
    assert model.history is history
    return history.history, model.get_weights(), calls.found


def batches():
    for start in range(0, 12, 5):
        yield X[start : start + 5], Y[start : start + 5]


INNER = {
    "predict": lambda m: m.predict(X, verbose=0),
    "evaluate": lambda m: m.evaluate(X[:5], Y[:5], verbose=0),
    "predict_on_batch": lambda m: m.predict_on_batch(X),
    "test_on_batch": lambda m: m.test_on_batch(X, Y),
    "call": lambda m: m(X),
    "generator": lambda m: m.evaluate(batches(), verbose=0),
    "features": lambda m: keras.Model(m.inputs, m.layers[1].output).predict(X, verbose=0),
    "another": lambda m: keras.Sequential([m.layers[0], keras.layers.Flatten()]).predict(X, verbose=0),
    "inner of inner": lambda m: m.evaluate(
        X, Y, verbose=0, callbacks=[Calls(lambda inner: inner.predict(X, verbose=0), ["on_test_batch_end"])]
    ),
    "torch's modes": lambda m: [m.eval(), m.predict(X, verbose=0), m.train()],
}


@pytest.fixture(scope="module")
def plain():
    return trained(lambda model: None)


@pytest.mark.parametrize("call", INNER.values(), ids=INNER)
def test_training_goes_on_as_if_nothing_had_been_called(call, plain):
    history, weights, found = trained(call)
    assert history == plain[0]
    for a, b in zip(weights, plain[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(found) == 1 + 2 * (1 + 3 * 2 + 1 + 3 * 2 + 1 + 1)


def test_the_answers_are_those_of_the_weights_at_that_moment():
    after, inside = network(), {}

    def ask(model):
        inside["predict"] = model.predict(X, verbose=0)
        inside["evaluate"] = model.evaluate(X, Y, verbose=0, return_dict=True)
        inside["batch"] = model.test_on_batch(X, Y, return_dict=True)

    history, weights, _ = trained(ask, ["on_epoch_end"])
    after.set_weights(weights)
    np.testing.assert_allclose(inside["predict"], after.predict(X, verbose=0), atol=1e-6)
    for found in (inside["evaluate"], inside["batch"]):
        for name, value in after.evaluate(X, Y, verbose=0, return_dict=True).items():
            assert found[name] == pytest.approx(value, rel=1e-5)
            assert history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5)


def test_an_evaluation_and_a_prediction_survive_runs_inside_them():
    model = network()
    wanted, answers = model.evaluate(X, Y, batch_size=4, verbose=0), model.predict(X, batch_size=4, verbose=0)
    for call in (INNER["evaluate"], INNER["predict"], INNER["test_on_batch"]):
        hooks = ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
        assert model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[Calls(call, hooks)]) == wanted
        hooks = [hook.replace("test", "predict") for hook in hooks]
        found = model.predict(X, batch_size=4, verbose=0, callbacks=[Calls(call, hooks)])
        np.testing.assert_array_equal(found, answers)


@pytest.mark.parametrize("hook", ["on_test_batch_end", "on_predict_batch_end"])
def test_callbacks_of_an_evaluation_may_train_and_take_gradients(hook):
    model, outside = (network(), network())
    torch.manual_seed(3)
    outside.train_on_batch(X, Y)

    def train(inner):
        torch.manual_seed(3)
        inner.train_on_batch(X, Y)
        pixels = torch.tensor(X, requires_grad=True)
        inner(pixels).sum().backward()
        assert pixels.grad is not None

    verb = model.evaluate if "test" in hook else model.predict
    verb(*((X, Y) if "test" in hook else (X,)), verbose=0, callbacks=[Calls(train, [hook])])
    assert int(model.optimizer.iterations) == 1
    for trained_within, trained_outside in zip(model.get_weights(), outside.get_weights(), strict=True):
        np.testing.assert_allclose(trained_within, trained_outside, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("lightning", [[], [L.Callback()]], ids=["plain loop", "Lightning's"])
@pytest.mark.parametrize("hook", ["on_predict_batch_begin", "on_predict_batch_end"])
def test_callbacks_of_a_prediction_may_change_the_weights(hook, lightning):
    model = network()

    def change(inner):
        for weight in inner.weights:
            weight.data.mul_(1.2)

    start = model.get_weights()
    quick = model.predict(X, batch_size=4, verbose=0, callbacks=[Calls(change, [hook]), *lightning])
    model.set_weights(start)
    with fast.plain_paths():
        plain = model.predict(X, batch_size=4, verbose=0, callbacks=[Calls(change, [hook]), *lightning])
    np.testing.assert_allclose(quick, plain, rtol=1e-4, atol=1e-6)


def test_callbacks_of_a_prediction_may_call_the_model_in_training():
    model, found = network(), []

    def call(inner):
        with torch.no_grad():
            torch.manual_seed(3)
            found.append(inner(X, training=True))

    before = model.get_weights()
    model.predict(X, verbose=0, callbacks=[Calls(call, ["on_predict_batch_end"])])
    model.set_weights(before)
    call(model)
    torch.testing.assert_close(found[0], found[1])


def test_a_fit_of_another_model_changes_nothing(plain):
    other = network()

    def fit(_):
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
        other.fit(X, Y, verbose=0, accelerator="cpu")
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)

    history, weights, _ = trained(fit, ["on_epoch_begin", "on_train_batch_end", "on_epoch_end"])
    assert history == plain[0]
    for a, b in zip(weights, plain[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_train_batch_end", "on_test_end", "on_epoch_end"])
def test_a_fit_of_the_same_weights_leaves_the_outer_one_running(hook, shared):
    steps, stops = [], []

    def fit(model):
        inner = model
        if shared:
            inner = keras.Sequential([*model.layers[:4], keras.layers.Dense(3, activation="softmax")])
            inner.compile("sgd", "categorical_crossentropy")
        before, running = int(inner.optimizer.iterations), model.trainer
        stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(inner, "stop_training", True))
        steps.append(len(inner.fit(X, Y, epochs=5, verbose=0, callbacks=[stop]).epoch))
        assert int(inner.optimizer.iterations) == before + 1
        assert model.trainer is running
        stops.append(model.stop_training)

    history, _, _ = trained(fit, [hook])
    assert len(history["loss"]) == len(history["val_accuracy"]) == 2
    assert set(steps) == {1} and not any(stops)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_inner_runs_take_the_outer_ones_precision(precision):
    def run(model):
        model.predict(X, verbose=0)
        model.evaluate(X, Y, verbose=0)
        model.fit(X, Y, verbose=0)
        dtypes.add(model.layers[0].kernel.dtype)

    dtypes = set()
    _, weights, _ = trained(run, ["on_epoch_end", "on_train_batch_end"], precision=precision)
    assert dtypes == {{"bf16-true": torch.bfloat16, "64-true": torch.float64}.get(precision, torch.float32)}
    assert weights[0].dtype == np.float32


class Asks(L.Callback):
    """What a Lightning user's callback does with the module."""

    def __init__(self, call):
        self.call = call

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.call(pl_module)

    def on_validation_batch_end(self, trainer, pl_module, *args):
        self.call(pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self.call(pl_module)
        assert pl_module.trainer is trainer


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", [INNER["predict"], INNER["evaluate"], INNER["features"]])
def test_in_a_trainer_of_ones_own(call):
    found = []
    for asked in (lambda module: None, call):
        model = network()
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), 4)
        trainer = L.Trainer(
            max_epochs=2, callbacks=[Asks(asked)], logger=False, accelerator="cpu", devices=1,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, data, data)
        found.append(({name: float(v) for name, v in trainer.callback_metrics.items()}, model.get_weights()))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("who", ["all", "first"])
def test_on_two_processes_nothing_waits_for_the_other(who):
    """Also where only the process that prints asks: each reads all the data by itself."""
    other = network()

    def ask(model):
        if who == "first" and model.trainer.global_rank:
            return
        predicted = model.predict(X, verbose=0)
        own = float((predicted.argmax(1) == Y.argmax(1)).mean())
        assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(own)
        assert other.predict(X, verbose=0).shape == (12, 3)
        other.evaluate(X, Y, verbose=0)

    devices = dict(accelerator="cpu", devices=2, strategy="ddp_fork", batch_size=2)
    plain = trained(lambda model: None, ["on_epoch_end"], **devices)
    asked = trained(ask, ["on_epoch_end", "on_train_batch_end"], **devices)
    assert asked[0] == plain[0]
    for a, b in zip(asked[1], plain[1], strict=True):
        np.testing.assert_array_equal(a, b)


class Calibration(keras.metrics.Metric):
    """A user's metric that keeps plain Python numbers beside Keras' variables."""

    def __init__(self, name="calibration", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.batches, self.seen = 0, []

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(y_pred.max(1).values.sum())
        self.batches += 1
        self.seen.append(len(y_pred))

    def result(self):
        return self.total / max(sum(self.seen), 1) + self.batches

    def reset_state(self):
        self.total.assign(0.0)
        self.batches, self.seen = 0, []


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_batch_end", "on_test_batch_end"])
def test_metrics_of_ones_own_count_on(hook):
    found = []
    for call in (lambda m: None, INNER["evaluate"]):
        model = network(metrics=[Calibration()])
        options = dict(batch_size=4, validation_data=(X, Y), verbose=0, callbacks=[Calls(call, [hook])])
        found.append(model.fit(X, Y, **options).history)
    assert found[0] == found[1] and found[0]["calibration"][0] > 3


def test_keras_2s_validation_data_of_callbacks():
    """Programs of 2018 ask `self.validation_data` for F1; later ones bring their own."""
    seen, own = [], object()

    class F1(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            x, y, weights = self.validation_data[:3]
            seen.append((self.model.predict(x, verbose=0).argmax(1) == y.argmax(1)).mean())
            assert len(weights) == len(x)

    class Own(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.validation_data = own

    theirs = Own()
    history = network().fit(X, Y, epochs=2, validation_split=0.25, verbose=0, callbacks=[F1(), theirs]).history
    assert seen == pytest.approx(history["val_accuracy"])
    assert theirs.validation_data is own


class WithStepsOfItsOwn(keras.Model):
    """A Keras model with a Lightning user's steps, which report by `self.log`."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(3)
        self.flat = keras.layers.Flatten()

    def call(self, inputs, training=None):
        return self.head(self.flat(inputs))

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1].argmax(1))
        self.log("own", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_own", torch.nn.functional.cross_entropy(self(batch[0]), batch[1].argmax(1)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_what_ones_own_steps_log_in_an_inner_run_is_its_own():
    histories, inside = [], []
    for call in (lambda m: None, lambda m: inside.append(m.evaluate(X[:7], Y[:7], verbose=0, return_dict=True))):
        keras.utils.set_random_seed(2)
        model = WithStepsOfItsOwn()
        options = dict(batch_size=4, epochs=2, validation_data=(X, Y), verbose=0, accelerator="cpu")
        histories.append(
            model.fit(X, Y, callbacks=[Calls(call, ["on_train_batch_end", "on_epoch_end"])], **options).history
        )
    assert histories[0] == histories[1] and set(histories[0]) == {"own", "val_own"}
    assert inside[-1] == model.evaluate(X[:7], Y[:7], verbose=0, return_dict=True, accelerator="cpu")
