"""Forward, loss and metrics with CUDA tensors that are fake: every operation checks that its tensors share a device.

`FakeTensorMode` has the device "cuda" without a driver. Gradients it has none (the engine asks the driver); those, and
the optimizers, run on the meta device in test_meta_device.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._subclasses import FakeTensorMode

import scene_lightning as keras
from scene_lightning.layers.base.seeds import SeedStream
from tests.training.pretended import (
    LAYER_CASES,
    LOSSES,
    METRICS,
    arrays,
    assert_all_on,
    batch_of,
    metric_states,
    network,
    on_fake_cuda,
    run_on_fake_cuda,
)  # fmt: skip

# What reads a number on the host, which no fake tensor has, and why. The Random* layers draw theirs there.
ON_THE_HOST = {
    "CTC": "torch's ctc_loss reads the lengths on the host",
    "RandomCrop": "where to cut: bounds of a slice",
    "RandomHeight": "how many rows",
    "RandomWidth": "how many columns",
}
PRECISIONS = ["32-true", "bf16-mixed"]


@pytest.fixture(autouse=True)
def generators_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded layers draw from a generator of the device they run on, which needs its driver."""
    monkeypatch.setattr(SeedStream, "next", lambda self, device: None)


@pytest.fixture(params=PRECISIONS)
def precision(request: Any) -> Iterator[str]:
    """Autocasting as Lightning's precision plugin switches it on, by hand: `torch.autocast` asks for a driver."""
    torch.set_autocast_enabled("cuda", request.param == "bf16-mixed")
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    yield request.param
    torch.set_autocast_enabled("cuda", False)


@pytest.mark.parametrize(
    ("precision", "name", "index"),
    [
        pytest.param(precision, name, index, marks=[pytest.mark.soak] if index else [])
        for precision in PRECISIONS
        for name, index in LAYER_CASES
    ],
    indirect=["precision"],
)
def test_each_layer(precision: str, name: str, index: int) -> None:
    if name in ON_THE_HOST:
        pytest.skip(ON_THE_HOST[name])
    model, x = network(name, index), batch_of(name, index)
    model.compile("adam", "mse", metrics=["mae"])
    with torch.no_grad():
        y = torch.zeros_like(model(x))
    run_on_fake_cuda(model, x, y)


def test_autocasting_reaches_fake_tensors(precision: str) -> None:
    with FakeTensorMode():
        product = torch.ones(2, 3, device="cuda") @ torch.ones(3, 2, device="cuda")
    assert product.dtype == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options", "make"), LOSSES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(LOSSES)])
def test_each_loss(name: str, options: dict[str, Any], make: Any, weighted: bool) -> None:
    if name in ON_THE_HOST:
        pytest.skip(ON_THE_HOST[name])
    true, pred = arrays(make)
    if weighted and (name in ("Dice", "Tversky") or options.get("axis") == 0):
        pytest.skip("one value for the whole batch")
    model = keras.Sequential([keras.Input(pred.shape[1:]), keras.layers.Dense(pred.shape[-1])])
    model.compile("sgd", getattr(keras.losses, name)(**options))
    run_on_fake_cuda(model, pred, true, torch.ones(len(true)) if weighted else None)


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.soak), True])
@pytest.mark.parametrize(("name", "options", "make"), METRICS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(METRICS)])
def test_each_metric(name: str, options: dict[str, Any], make: Any, weighted: bool) -> None:
    """First on the CPU, as when an evaluation there is followed by one on the GPU: the states move with the data."""
    metric = getattr(keras.metrics, name)(**options)
    true, pred = arrays(make)
    kind = torch.int32 if "IoU" in name else torch.float32
    weight = torch.ones(len(true), dtype=kind) if weighted else None
    metric.update_state(true, pred, sample_weight=weight)
    metric.reset_state()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:  # such as thresholds, which are copied there once
        on_fake_cuda(metric, mode)
        there = [None if part is None else mode.from_tensor(part).to("cuda") for part in (true, pred, weight)]
        metric.update_state(there[0], there[1], sample_weight=there[2])
        assert_all_on("cuda", [("result", torch.as_tensor(metric.result())), *metric_states(metric)])


def test_there_is_a_reason_for_each_exception() -> None:
    known = {name for name, _ in LAYER_CASES} | {name for name, _, _ in LOSSES}
    assert set(ON_THE_HOST) <= known and all(ON_THE_HOST.values())


def test_a_tensor_left_on_the_cpu_fails_here() -> None:
    """Fake CUDA tensors do catch what these tests are for."""

    class LeftBehind(keras.layers.Layer):
        def call(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.ones(3)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, LeftBehind()(keras.layers.Dense(3)(inputs)))
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="device"):
        run_on_fake_cuda(model, torch.rand(2, 3), torch.rand(2, 3))
