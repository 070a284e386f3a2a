"""Any hyper-parameters of any optimizer: ten steps beside the real Keras, and the config both ways."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from scene_lightning import optimizers

SHAPES = [(5, 4), (4,), (3, 3, 2, 4)]
RATE = st.floats(1e-4, 0.1)
MOMENTUM = st.floats(0.0, 0.99)
SECOND = st.floats(0.5, 0.9999)
EPSILON = st.sampled_from([1e-7, 1e-3, 0.1])
SMALL = st.floats(0.0, 0.1)
MOMENTS = {"beta_1": st.floats(0.1, 0.99), "beta_2": SECOND, "epsilon": EPSILON}
CLIPPING = st.sampled_from([{}, {}, {"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}])
AVERAGING = st.sampled_from(
    [{}, {}, {"use_ema": True, "ema_momentum": 0.5}, {"use_ema": True, "ema_overwrite_frequency": 3}]
)
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": MOMENTUM, "nesterov": st.booleans()},
    "RMSprop": {"rho": SECOND, "momentum": MOMENTUM, "epsilon": EPSILON, "centered": st.booleans()},
    "Adam": {**MOMENTS, "amsgrad": st.booleans()},
    "AdamW": {**MOMENTS, "amsgrad": st.booleans(), "weight_decay": SMALL},
    "Adamax": MOMENTS,
    "Nadam": MOMENTS,
    "Adagrad": {"initial_accumulator_value": st.floats(0.01, 1.0), "epsilon": EPSILON},
    "Adadelta": {"rho": SECOND, "epsilon": EPSILON},
    "Ftrl": {
        "learning_rate_power": st.floats(-1.0, -0.25),
        "initial_accumulator_value": st.floats(0.1, 1.0),
        "l1_regularization_strength": SMALL,
        "l2_regularization_strength": SMALL,
        "l2_shrinkage_regularization_strength": SMALL,
        "beta": SMALL,
    },
    "Lion": {"beta_1": st.floats(0.1, 0.99), "beta_2": SECOND},
    "Lamb": MOMENTS,
    "Adafactor": {
        "beta_2_decay": st.floats(-0.9, -0.5),
        "epsilon_1": st.sampled_from([1e-30, 1e-6]),
        "epsilon_2": st.sampled_from([1e-3, 0.1]),
        "clip_threshold": st.floats(0.5, 2.0),
        "relative_step": st.booleans(),
    },
    "Muon": {"momentum": MOMENTUM, "nesterov": st.booleans(), "ns_steps": st.integers(1, 6)},
    "ScheduleFreeAdamW": {**MOMENTS, "warmup_steps": st.integers(0, 5)},
}


@st.composite
def drawn(draw: Any, name: str) -> dict[str, Any]:
    options = {key: draw(value) for key, value in OPTIONS[name].items() if draw(st.booleans())}
    options["learning_rate"] = draw(RATE)
    options |= draw(CLIPPING) | draw(AVERAGING)
    if "weight_decay" not in options and draw(st.integers(0, 3)) == 0:
        options["weight_decay"] = draw(SMALL)
    return options


def run_both(name: str, options: dict[str, Any], seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights after ten steps: (ours, Keras')."""
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype("float32") for shape in SHAPES]
    variables = [keras.Variable(value) for value in start]
    params = [nn.Parameter(torch.tensor(value)) for value in start]
    theirs = getattr(keras.optimizers, name)(**options)
    theirs.build(variables)
    driver = getattr(optimizers, name)(**options).torch_optimizer(params)
    for _ in range(10):
        grads = [(rng.normal(size=s) * 10.0 ** rng.integers(-3, 1)).astype("float32") for s in SHAPES]
        theirs.apply([torch.tensor(grad) for grad in grads], variables)
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad)
        driver.step()
    return [p.detach().numpy() for p in params], [v.numpy() for v in variables]


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_any_hyper_parameters_equal_keras(name: str) -> None:
    @given(options=drawn(name), seed=st.integers(0, 10_000))
    def draw(options: dict[str, Any], seed: int) -> None:
        for mine, reference in zip(*run_both(name, options, seed), strict=True):
            np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(reference).max())))
        reference_config = getattr(keras.optimizers, name)(**options).get_config()
        ours = getattr(optimizers, name)(**options)
        there = getattr(keras.optimizers, name).from_config(ours.get_config()).get_config()
        assert {**there, "name": ""} == {**reference_config, "name": ""}
        back = optimizers.deserialize({"class_name": name, "module": "keras.optimizers", "config": reference_config})
        assert {**back.get_config(), "name": ""} == {**ours.get_config(), "name": ""}

    draw()


def test_every_exported_optimizer_is_drawn() -> None:
    exported = {
        value.__name__
        for value in (getattr(optimizers, name) for name in optimizers.__all__)
        if isinstance(value, type) and issubclass(value, optimizers.Optimizer)
    }
    assert exported - {"Optimizer"} == set(OPTIONS)
