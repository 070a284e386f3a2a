"""What optimizers take and show: the learning rate as a variable, old spellings and configs, what they refuse."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from scene_lightning import backend, optimizers
from scene_lightning.errors import InputError, UnsupportedError


def test_the_rate_is_a_variable_in_all_the_ways_people_use_it() -> None:
    optimizer = optimizers.Adam(1e-3)
    assert float(optimizer.lr) == np.float32(1e-3)
    assert optimizer.learning_rate.numpy() == np.float32(1e-3)
    backend.set_value(optimizer.lr, 5e-4)
    assert float(backend.get_value(optimizer.learning_rate)) == np.float32(5e-4)
    optimizer.learning_rate.assign(optimizer.lr * 0.5)
    assert f"{optimizer.lr:.5f}" == "0.00025"
    optimizer.lr = 0.125
    assert optimizer.learning_rate == 0.125
    assert optimizer.lr < 1
    assert 2 * optimizer.lr == 0.25
    assert np.asarray(optimizer.lr).dtype == np.float32
    assert round(float(optimizer.lr), 3) == 0.125


def test_the_torch_group_and_the_keras_rate_are_one_number() -> None:
    param = nn.Parameter(torch.zeros(1))
    optimizer = optimizers.SGD(1.0)
    driver = optimizer.torch_optimizer([param])
    optimizer.learning_rate = 0.5
    assert driver.param_groups[0]["lr"] == 0.5
    driver.param_groups[0]["lr"] = 0.25
    assert float(optimizer.learning_rate) == 0.25
    scheduler = torch.optim.lr_scheduler.StepLR(driver, 1, gamma=0.5)
    param.grad = torch.ones(1)
    driver.step()
    scheduler.step()
    assert float(optimizer.learning_rate) == 0.125
    assert float(param.detach()) == -0.25


def test_a_schedule_shows_in_the_group_and_cannot_be_set() -> None:
    param = nn.Parameter(torch.zeros(1))
    optimizer = optimizers.SGD(optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.5]))
    driver = optimizer.torch_optimizer([param])
    param.grad = torch.ones(1)
    driver.step()
    assert driver.param_groups[0]["lr"] == 0.5
    assert float(optimizer.learning_rate) == 0.5
    with pytest.raises(TypeError, match="schedule"):
        optimizer.learning_rate = 0.1
    assert len(optimizer.variables) == 1  # iteration only: no learning_rate


def test_old_spellings_are_honoured_with_one_warning() -> None:
    optimizers.rate._warned.clear()
    with pytest.warns(DeprecationWarning) as caught:
        optimizer = optimizers.rmsprop(lr=0.1, decay=1.0)
        optimizers.rmsprop(lr=0.1, decay=1.0)
    assert len(caught) == 2  # one for `lr`, one for `decay`
    assert optimizer._rate() == pytest.approx(0.1)
    optimizer.apply_gradients([(torch.tensor(1.0), nn.Parameter(torch.tensor(0.0)))])
    assert optimizer._rate() == pytest.approx(0.05)
    assert keras.optimizers.RMSprop.from_config(optimizer.get_config()).learning_rate == np.float32(0.1)
    assert optimizers.legacy.Adam is optimizers.Adam is optimizers.adam
    assert isinstance(optimizers.get("Adam"), optimizers.Adam)
    assert isinstance(optimizers.get("RMSPROP"), optimizers.RMSprop)


def test_a_keras_2_config_is_read() -> None:
    config = {
        "class_name": "Custom>Adam",
        "config": {
            "name": "Adam", "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None,
            "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "jit_compile": False,
            "is_legacy_optimizer": False, "learning_rate": 0.5, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7,
            "amsgrad": False,
        },
    }  # fmt: skip
    assert float(optimizers.deserialize(config).learning_rate) == 0.5
    old = {"class_name": "SGD", "config": {"lr": 0.25, "decay": 0.0, "momentum": 0, "nesterov": False}}
    assert float(optimizers.deserialize(old).lr) == 0.25


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam("x"),
        lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0),
        lambda: optimizers.Adam(gradient_accumulation_steps=1),
        lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0),
        lambda: optimizers.Adam(use_ema=True, ema_overwrite_frequency=0),
        lambda: optimizers.Adam(momentum=0.9),
        lambda: optimizers.SGD(momentum=2.0),
        lambda: optimizers.Ftrl(l1_regularization_strength=-1.0),
        lambda: optimizers.Ftrl(learning_rate_power=1.0),
        lambda: optimizers.get("adamm"),
        lambda: optimizers.get(3),
        lambda: optimizers.Adam().apply([None], [nn.Parameter(torch.zeros(1))]),
    ],
)
def test_impossible_options_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_what_is_not_here_says_what_to_use() -> None:
    with pytest.warns(UserWarning, match="scales the loss itself"):
        assert isinstance(optimizers.LossScaleOptimizer(optimizers.Adam()), optimizers.Adam)
    with pytest.raises(UnsupportedError, match="Lightning"):
        optimizers.OptimizerMap()
