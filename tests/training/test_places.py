"""A model that is in its place is not moved again, and one of which any part lies elsewhere is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

import scene_lightning as keras
from scene_lightning.training.places import lies_on

CPU, META = torch.device("cpu"), torch.device("meta")
X, Y = np.random.default_rng(0).random((8, 4), dtype=np.float32), np.arange(8) % 3


def model_with(*more: Any, cls: Any = keras.Sequential) -> Any:
    model = cls([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(X, Y)
    for number, part in enumerate(more):
        model.add_module(f"more_{number}", part)
    return model


class MovesMore(nn.Module):
    """Has a tensor that torch does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.table = [torch.ones(2)]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        self.table = [fn(one) for one in self.table]
        return super()._apply(fn, recurse)


def test_what_is_there_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_with()
    assert lies_on(model, CPU) and not lies_on(model, META)
    for way in ("to", "cpu"):
        monkeypatch.setattr(nn.Module, way, lambda *_: pytest.fail("moved"))
    assert model.to(CPU) is model and model.cpu() is model


@pytest.mark.parametrize("elsewhere", ["weight", "buffer", "gradient", "metric", "module inside"])
def test_any_part_elsewhere_is_moved(elsewhere: str) -> None:
    inside = L.LightningModule()
    model = model_with(inside)
    if elsewhere == "weight":
        model.layers[-1].to(META)
    elif elsewhere == "buffer":
        model.register_buffer("far", torch.zeros(2, device=META))
    elif elsewhere == "gradient":
        model.to(META)
        model.layers[-1].kernel.grad = torch.zeros_like(model.layers[-1].kernel)
        assert not lies_on(model, CPU)
    elif elsewhere == "metric":
        model._train_metrics.loss.to(META)
    else:
        inside.to(META)
    assert not lies_on(model, CPU)
    model.to(META)
    assert lies_on(model, META)


def test_a_module_that_moves_in_its_own_way_is_asked() -> None:
    part = MovesMore()
    model = model_with(part)
    part.table = [torch.ones(2, device=META)]
    assert not lies_on(model, CPU)
    part.table = [torch.ones(2)]
    model.to(META)
    assert part.table[0].device == META


def test_the_metrics_of_a_fit_are_lightnings_callback_metrics() -> None:
    """And stay those of the epoch that they were logged in, whatever is counted afterwards."""
    seen: list[dict[str, float]] = []

    class Monitor(L.Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            seen.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    model = model_with()
    history = model.fit(X, Y, batch_size=4, validation_data=(X, Y), epochs=2, verbose=0, callbacks=[Monitor()]).history
    found = {name: float(value) for name, value in model.trainer.callback_metrics.items()}
    assert found == pytest.approx({name: values[-1] for name, values in history.items()}, rel=1e-6)
    assert seen[0] == {} and seen[2] == seen[3] == pytest.approx({n: v[0] for n, v in history.items()}, rel=1e-6)


def test_they_stand_beside_what_the_model_logs_itself() -> None:
    class Logging(keras.Sequential):
        def on_train_epoch_end(self) -> None:
            self.log("epoch_number", float(self.current_epoch))

    model = model_with(cls=Logging)
    history = model.fit(X, Y, batch_size=4, epochs=2, verbose=0).history
    metrics = model.trainer.callback_metrics
    assert float(metrics["epoch_number"]) == 1.0
    assert float(metrics["loss"]) == pytest.approx(history["loss"][-1], rel=1e-6)
