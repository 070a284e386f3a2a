"""Predictions arrive whole and in order, also where the host stays a batch behind the device."""

from __future__ import annotations

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.training import collector


def test_a_copy_that_is_late_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(11, 3)).astype("float32")
    wanted = model.predict(x, batch_size=4, verbose=0, accelerator="cpu")
    events: list[str] = []

    def begin_copy(outputs):
        events.append("begun")
        return lambda: events.append("waited for") or outputs.numpy()

    monkeypatch.setattr(collector, "begin_copy", begin_copy)
    monkeypatch.setattr(collector, "batches_behind", lambda outputs: 1)
    found = model.predict(x, batch_size=4, verbose=0, accelerator="cpu")
    np.testing.assert_array_equal(found, wanted)
    assert events == ["begun", "begun", "waited for", "begun", "waited for", "waited for"]


@pytest.mark.cuda
def test_a_gpus_outputs_are_those_of_the_processor() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(11, 3)).astype("float32")
    wanted = model.predict(x, batch_size=4, verbose=0, accelerator="cpu")
    np.testing.assert_allclose(model.predict(x, batch_size=4, verbose=0, accelerator="cuda"), wanted, atol=1e-5)
