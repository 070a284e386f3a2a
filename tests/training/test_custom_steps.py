"""`train_step`, `test_step`, `compute_loss`, `compute_metrics` of a user's own, against the real Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 5)).astype("float32")
Y = RNG.integers(0, 3, 20)
WEIGHTS = [RNG.normal(size=(5, 3)).astype("float32"), np.zeros(3, "float32")]


def gradients_of(weights: list[Any]) -> list[Any]:
    """What a program on Keras' torch backend writes as `v.value.grad`; a weight is the tensor itself here."""
    return [getattr(weight, "value", weight).grad for weight in weights]


def with_torch_step(library: Any) -> Any:
    """https://keras.io/guides/custom_train_step_in_torch, its second example."""

    class Custom(library.Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply(gradients_of(weights), weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, data: Any) -> Any:
            x, y = data
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    return Custom


def with_own_trackers(library: Any) -> Any:
    """The same guide: losses and metrics that the model keeps by itself, with no loss compiled."""

    class Custom(library.Model):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.loss_tracker = library.metrics.Mean(name="loss")
            self.right = library.metrics.SparseCategoricalAccuracy(name="right")
            self.loss_fn = library.losses.SparseCategoricalCrossentropy(from_logits=True)

        def _logs_for(self, y: Any, y_pred: Any, loss: Any) -> Any:
            self.loss_tracker.update_state(loss)
            self.right.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "right": self.right.result()}

        def train_step(self, data: Any) -> Any:
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred)
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply(gradients_of(weights), weights)
            return self._logs_for(y, y_pred, loss)

        def test_step(self, data: Any) -> Any:
            x, y = data
            y_pred = self(x, training=False)
            return self._logs_for(y, y_pred, self.loss_fn(y, y_pred))

        @property
        def metrics(self) -> Any:
            return [self.loss_tracker, self.right]

    return Custom


def with_own_loss(library: Any) -> Any:
    """The example in `Model.compute_loss`, written before it got `training`."""

    class Custom(library.Model):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.tracker = library.metrics.Mean(name="mine")

        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
            loss = library.ops.mean(library.ops.square(y_pred - library.ops.one_hot(y, 3)))
            self.tracker.update_state(loss)
            return loss

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            results["doubled"] = 2 * self.tracker.result()
            return results

    return Custom


def with_super_step(library: Any) -> Any:
    class Custom(library.Model):
        def train_step(self, *args: Any) -> Any:
            return {**super().train_step(*args), "answer": 42.0}

    return Custom


def trained(library: Any, make: Any, loss: Any, **compiled: Any) -> Any:
    inputs = library.Input((5,))
    model = make(library)(inputs, library.layers.Dense(3)(inputs))
    model.set_weights(WEIGHTS)
    model.compile(optimizer=library.optimizers.Adam(0.1), loss=loss and loss(library), **compiled)
    history = model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, validation_data=(X[:6], Y[:6]), verbose=0)
    return model, history.history


def from_logits(library: Any) -> Any:
    return library.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("make", "loss", "metrics"),
    [
        (with_torch_step, from_logits, ["accuracy"]),
        (with_own_trackers, None, None),
        (with_own_loss, from_logits, ["accuracy"]),
        (with_super_step, from_logits, ["accuracy"]),
    ],
)
def test_a_models_own_steps_train_and_report_as_in_keras(make: Any, loss: Any, metrics: Any) -> None:
    (theirs, expected), (model, found) = (trained(lib, make, loss, metrics=metrics) for lib in (keras, ours))
    assert sorted(found) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
    for mine, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)
    evaluated = [m.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True) for m in (model, theirs)]
    assert set(evaluated[0]) == set(evaluated[1])
    for name, value in evaluated[1].items():
        np.testing.assert_allclose(evaluated[0][name], value, rtol=2e-4, atol=1e-5, err_msg=name)
    listed = [np.ravel(m.evaluate(X, Y, batch_size=8, verbose=0)) for m in (model, theirs)]
    np.testing.assert_allclose(listed[0], listed[1], rtol=2e-4, atol=1e-5)
    # Keras hands (x, y, None) to the step here, which `x, y = data` does not take; ours leaves the None out.
    assert set(model.train_on_batch(X[:8], Y[:8], return_dict=True)) == {k for k in expected if k[:4] != "val_"}


def test_a_model_of_models_needs_no_call() -> None:
    class Distiller(ours.Model):
        def __init__(self, student: Any) -> None:
            super().__init__()
            self.student = student

        def compile(self, optimizer: Any, student_loss: Any, metrics: Any) -> None:
            super().compile(optimizer=optimizer, metrics=metrics)
            self.student_loss = student_loss

        def train_step(self, data: Any) -> Any:
            x, y = data
            loss = self.student_loss(y, self.student(x, training=True))
            weights = self.student.trainable_variables
            self.optimizer.apply_gradients(zip(torch.autograd.grad(loss, weights), weights, strict=True))
            self.compiled_metrics.update_state(y, self.student(x))
            return {**{m.name: m.result() for m in self.metrics}, "student_loss": loss}

        def test_step(self, data: Any) -> Any:
            x, y = data
            self.compiled_metrics.update_state(y, self.student(x))
            return {m.name: m.result() for m in self.metrics}

    student = ours.Sequential([ours.layers.Dense(3)])
    distiller = Distiller(student)
    distiller.compile("adam", from_logits(ours), ["accuracy"])
    history = distiller.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert {"accuracy", "student_loss", "val_accuracy"} <= set(history)
    assert history["student_loss"][1] < history["student_loss"][0]
    assert "accuracy" in distiller.evaluate(X, Y, verbose=0, return_dict=True)


def test_metrics_of_layers_are_reported_and_reset() -> None:
    class Watching(ours.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.mean = ours.metrics.Mean(name="mean_input")

        def call(self, inputs: Any) -> Any:
            self.mean.update_state(inputs)
            return inputs

    model = ours.Sequential([ours.Input((5,)), Watching(), ours.layers.Dense(3)])
    model.compile("sgd", from_logits(ours))
    history = model.fit(X, Y, epochs=2, verbose=0, batch_size=20).history
    np.testing.assert_allclose(history["mean_input"], [X.mean()] * 2, rtol=1e-4)


def test_a_step_that_returns_no_dict_is_named() -> None:
    class Wrong(ours.Sequential):
        def train_step(self, data: Any) -> Any:
            return 0.5

    model = Wrong([ours.Input((5,)), ours.layers.Dense(3)])
    model.compile("sgd", "mse")
    with pytest.raises(InputError, match="return a dict"):
        model.fit(X, Y, verbose=0)


def test_a_loss_for_each_sample_is_summed_for_training_and_averaged_in_the_logs() -> None:
    """What tf.keras does with reduction="none": the gradient of a vector is that of its sum."""
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    weights, losses = [], []
    for reduction in ("none", "sum", "sum_over_batch_size"):
        model = ours.Sequential([ours.layers.Input((2,)), ours.layers.Dense(1, kernel_initializer="ones")])
        model.compile(ours.optimizers.SGD(0.01), ours.losses.MeanSquaredError(reduction=reduction))
        losses.append(model.fit(x, y, batch_size=4, verbose=0).history["loss"][0])
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)
    assert losses[0] == pytest.approx(losses[2])
