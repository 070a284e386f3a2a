"""Batches that are predicted at once on the CPU: the same answers in the same order, and nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.training.concurrent_batches import outputs_of

layers = keras.layers


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def network(*inner: Any) -> Any:
    return keras.Sequential([
        keras.Input((12, 12, 3)), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(), *inner, layers.Dropout(0.5), layers.Flatten(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


class Calls(layers.Layer):
    """Notes which threads call it."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []

    def call(self, x: torch.Tensor) -> torch.Tensor:
        self.threads.append(threading.current_thread().name)
        return x


def answered(model: Any, x: np.ndarray, **options: Any) -> tuple[np.ndarray, set[str]]:
    """Predictions, and the names of the threads that computed them."""
    names: set[str] = set()
    own = torch.nn.functional.linear
    with pytest.MonkeyPatch.context() as patch:

        def linear(*args: Any) -> torch.Tensor:
            names.add(threading.current_thread().name)
            time.sleep(0.002)
            return own(*args)

        patch.setattr(torch.nn.functional, "linear", linear)
        return model.predict(x, verbose=0, accelerator="cpu", **options), names


def test_answers_are_those_of_one_batch_after_another() -> None:
    model, x = network(), np.random.default_rng(0).random((75, 12, 12, 3), np.float32)
    at_once, names = answered(model, x, batch_size=8)
    assert names == {"predict_0", "predict_1"} and torch.get_num_threads() == 2
    keras.config.set_fast_paths(False)
    try:
        plain, names = answered(model, x, batch_size=8)
    finally:
        keras.config.set_fast_paths(True)
    assert names == {"MainThread"}
    np.testing.assert_allclose(at_once, plain, rtol=1e-5, atol=1e-6)
    assert np.array_equal(at_once, model.predict(x, batch_size=8, verbose=0, accelerator="cpu"))


def test_few_batches_are_not_shared_out() -> None:
    _, names = answered(network(), np.zeros((16, 12, 12, 3), np.float32), batch_size=8)
    assert names == {"MainThread"}


def test_layers_callbacks_and_hooks_of_ones_own_are_called_one_after_another() -> None:
    x = np.zeros((72, 12, 12, 3), np.float32)
    calls = Calls()
    _, names = answered(network(calls), x, batch_size=8)
    assert names == {"MainThread"} == set(calls.threads) and len(calls.threads) >= 9
    _, names = answered(network(layers.Lambda(lambda inputs: inputs)), x, batch_size=8)
    assert names == {"MainThread"}
    _, names = answered(network(), x, batch_size=8, callbacks=[keras.callbacks.Callback()])
    assert names == {"MainThread"}
    hooked = network()
    hooked.layers[0].register_forward_hook(lambda *_: None)
    assert answered(hooked, x, batch_size=8)[1] == {"MainThread"}
    inputs = keras.Input((12, 12, 3))
    random = keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(layers.Flatten()(inputs), training=True)))
    assert answered(random, x, batch_size=8)[1] == {"MainThread"}


def test_a_step_that_was_put_into_a_class_is_heard_as_long_as_it_is_there() -> None:
    class Net(keras.Sequential):
        """Nobody has asked this class before."""

    model, x = Net([keras.Input((4,)), layers.Dense(2)]), np.zeros((3, 4), np.float32)
    own = keras.Model.predict_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "predict_step", lambda self, batch, number=0: own(self, batch) + 1)
        assert model.has_own_hooks and (model.predict(x, verbose=0) > 0.5).all()
    assert not model.has_own_hooks and (model.predict(x, verbose=0) == 0).all()


def test_what_is_left_over_is_computed_on_all_threads() -> None:
    def step(batch: int, number: int) -> tuple[str, int]:
        return threading.current_thread().name, torch.get_num_threads()

    seen = [outputs for _, _, outputs in outputs_of(step, ((n, n) for n in range(9)), 2, 9)]
    assert {name.startswith("predict_") and threads == 1 for name, threads in seen[:8]} == {True}
    assert seen[8] == (threading.current_thread().name, 2)


def test_an_error_in_a_batch_is_raised_and_ends_all() -> None:
    begun = []

    def step(batch: int, number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        if number == 3:
            raise ValueError("the fourth")
        return batch * 2

    seen = []
    with pytest.raises(ValueError, match="the fourth"):
        seen += [outputs for _, _, outputs in outputs_of(step, ((n, n + 1) for n in range(100)), 2, 100)]
    assert len(begun) < 8 and torch.get_num_threads() == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("predict_")]


def test_an_interrupt_between_batches_ends_all() -> None:
    def batches() -> Iterator[tuple[int, int]]:
        yield from ((n, n) for n in range(6))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(outputs_of(lambda batch, number: batch, batches(), 2, 7))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("predict_")]
