"""What `fit` says of losses that are no numbers and of data that run out, beside the real Keras."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError
from scene_lightning.training.irregular import NonFiniteLossWarning

X, Y = np.ones((40, 3), "float32"), np.ones((40, 1), "float32")


def compiled(library: Any = keras) -> Any:
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def batches(count: int) -> Iterator[Any]:
    for number in range(count):
        yield X[4 * number : 4 * number + 4], Y[4 * number : 4 * number + 4]


def fit_and_warnings(model: Any, *arguments: Any, **options: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(*arguments, verbose=0, **options)
    return history, [str(one.message) for one in caught]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_told_once_with_epoch_and_batch(value: float) -> None:
    x = X.copy()
    x[17, 0] = value
    model = compiled()
    model.fit(X, Y, verbose=0)  # a sound one says nothing, and leaves nothing for the next
    _, told = fit_and_warnings(model, x, Y, batch_size=4, epochs=3, shuffle=False)
    (message,) = [line for line in told if "loss is" in line]
    assert message.startswith(f"The loss is {value} in epoch 1, batch 5;") and "TerminateOnNaN" in message


def test_a_sound_training_says_nothing_of_its_loss() -> None:
    assert not [line for line in fit_and_warnings(compiled(), X, Y, epochs=2)[1] if "loss is" in line]


def test_a_step_of_ones_own_is_told_by_its_epoch() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            return super().train_step(data)

    model = Own()
    model.compile("sgd", "mse")
    assert [
        line for line in fit_and_warnings(model, X * np.nan, Y)[1] if line.startswith("The loss is nan in epoch 1;")
    ]


def test_on_other_devices_no_step_waits_for_the_loss() -> None:
    """A tensor without values cannot be looked at: any look before the epoch's end would raise."""
    watch = NonFiniteLossWarning()
    for step in range(250):
        watch.add({"loss": torch.zeros((), device="meta")}, step, 0)
    with pytest.raises(NotImplementedError):
        watch.look(0)


def test_long_epochs_are_looked_at_in_between() -> None:
    watch = NonFiniteLossWarning()
    with pytest.warns(UserWarning, match="The loss is nan in epoch 3, batch 142;"):
        for step in range(200):
            watch.add({"loss": torch.tensor(float("nan") if step == 141 else 1.0)}, step, 2)


@pytest.mark.parametrize(("count", "epochs"), [(6, 2), (5, 2), (3, 1)])
def test_an_exhausted_generator_ends_the_training_and_leaves_no_false_epoch(count: int, epochs: int) -> None:
    ended: list[int] = []
    listener = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(epoch))
    history, told = fit_and_warnings(compiled(), batches(count), steps_per_epoch=3, epochs=4, callbacks=[listener])
    assert history.epoch == list(range(epochs)) == ended
    assert all(len(values) == epochs and all(values) for values in history.history.values())
    _, keras_told = fit_and_warnings(compiled(real_keras), batches(count), steps_per_epoch=3, epochs=4)
    start = "Your input ran out of data; interrupting training."
    assert [line for line in keras_told if line.startswith(start)] and [line for line in told if line.startswith(start)]


def test_a_generator_of_unknown_length_ends_the_training_too() -> None:
    history, told = fit_and_warnings(compiled(), batches(5), epochs=3)
    assert history.epoch == [0] and len([line for line in told if "ran out of data" in line]) == 1


def test_a_validation_without_a_batch_records_no_loss() -> None:
    history, told = fit_and_warnings(compiled(), X, Y, epochs=2, validation_data=batches(2))
    assert len(history.history["loss"]) == 2 and len(history.history["val_loss"]) == 1
    assert [line for line in told if "ran out of data; interrupting validation" in line]


@pytest.mark.parametrize("library", [keras, real_keras], ids=["ours", "keras"])
def test_an_empty_generator_is_an_error(library: Any) -> None:
    for call in (
        lambda model: model.fit(batches(0), epochs=2, verbose=0),
        lambda model: model.fit(batches(0), steps_per_epoch=2, epochs=2, verbose=0),
        lambda model: model.evaluate(batches(0), verbose=0),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(InputError if library is keras else ValueError):
                call(compiled(library))
