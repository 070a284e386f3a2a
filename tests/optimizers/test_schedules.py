"""Every learning-rate schedule beside the real Keras, and the golden values."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from scene_lightning.errors import InputError
from scene_lightning.optimizers import SGD, schedules

CASES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 10], "values": [1.0, 0.5, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "cycle": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 10, "warmup_target": 0.1, "warmup_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "m_mul": 0.9, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.0}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_rates_and_configs_equal_keras(name: str, options: dict[str, Any]) -> None:
    ours = getattr(schedules, name)(**options)
    theirs = getattr(keras.optimizers.schedules, name)(**options)
    for step in [*range(14), 25, 100]:
        assert float(ours(step)) == pytest.approx(float(theirs(step)), rel=1e-6, abs=1e-8)
    assert ours.get_config() == theirs.get_config()
    assert type(schedules.deserialize(keras.optimizers.schedules.serialize(theirs))) is type(ours)
    back = SGD.from_config(SGD(ours).get_config())
    assert back._learning_rate.get_config() == ours.get_config()
    keras.optimizers.SGD.from_config(SGD(ours).get_config())


def test_every_exported_schedule_is_compared() -> None:
    exported = {name for name in schedules.__all__ if name[0].isupper()}
    assert exported - {"LearningRateSchedule"} == {name for name, _ in CASES}


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        *[
            (schedules.ExponentialDecay(0.1, 10, 0.5), s, r)
            for s, r in [(0, 0.1), (1, 0.0933), (5, 0.07071), (10, 0.05), (25, 0.01768)]
        ],
        *[
            (schedules.PiecewiseConstantDecay([5, 10], [1.0, 0.5, 0.1]), s, r)
            for s, r in [(5, 1.0), (6, 0.5), (10, 0.5), (11, 0.1)]
        ],
        *[
            (schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=5), s, r)
            for s, r in [(0, 0.0), (1, 0.02), (5, 0.1), (10, 0.05), (15, 0.0)]
        ],
    ],
)
def test_golden_values(schedule: Any, step: int, rate: float) -> None:
    assert float(schedule(step)) == pytest.approx(rate, rel=1e-3, abs=1e-8)


class Noam(schedules.LearningRateSchedule):
    """A user's own schedule."""

    def __call__(self, step: Any) -> Any:
        return 0.5 / (step + 1.0) ** 0.5

    def get_config(self) -> dict[str, Any]:
        return {}


def test_a_users_schedule_and_a_plain_callable_drive_an_optimizer() -> None:
    assert SGD(Noam())._rate() == 0.5
    assert SGD(lambda: 0.25)._rate() == 0.25


def test_impossible_options_are_refused() -> None:
    with pytest.raises(InputError):
        schedules.ExponentialDecay(0.1, 0, 0.5)
    with pytest.raises(InputError):
        schedules.PiecewiseConstantDecay([1], [1.0])
    with pytest.raises(NotImplementedError):
        schedules.LearningRateSchedule()(0)
