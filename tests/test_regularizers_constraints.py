"""Every regularizer and constraint beside the real Keras: values, gradients and configs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import constraints, regularizers
from scene_lightning.errors import InputError

REGULARIZERS: list[tuple[str, dict[str, Any]]] = [
    ("L1", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {"factor": 0.5}),
    ("OrthogonalRegularizer", {"mode": "columns"}),
]
CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {"max_value": 1.0}),
    ("MaxNorm", {"max_value": 0.5, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.0, "rate": 0.7}),
]


@pytest.mark.parametrize(("name", "options"), REGULARIZERS)
def test_regularizers_equal_keras(name: str, options: dict[str, Any]) -> None:
    values = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    results = []
    for library in (regularizers, keras.regularizers):
        x = torch.tensor(values, requires_grad=True)
        penalty = getattr(library, name)(**options)(x)
        penalty.backward()
        results.append((float(penalty.detach()), x.grad))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    torch.testing.assert_close(results[0][1], results[1][1])
    theirs = keras.regularizers.deserialize(regularizers.serialize(getattr(regularizers, name)(**options)))
    back = regularizers.deserialize(keras.regularizers.serialize(theirs))
    assert back.get_config() == pytest.approx(getattr(regularizers, name)(**options).get_config())


@pytest.mark.parametrize(("name", "options"), CONSTRAINTS)
def test_constraints_equal_keras(name: str, options: dict[str, Any]) -> None:
    w = torch.tensor(np.random.default_rng(0).normal(size=(4, 5)).astype("float32"))
    ours = getattr(constraints, name)(**options)
    theirs = keras.constraints.deserialize(constraints.serialize(ours))
    torch.testing.assert_close(ours(w), theirs(w), rtol=1e-6, atol=1e-7)
    assert constraints.deserialize(keras.constraints.serialize(theirs)).get_config() == ours.get_config()


def test_every_exported_one_is_compared() -> None:
    for module, theirs, cases, base in (
        (regularizers, keras.regularizers, REGULARIZERS, "Regularizer"),
        (constraints, keras.constraints, CONSTRAINTS, "Constraint"),
    ):
        classes = {getattr(module, n).__name__ for n in module.__all__ if isinstance(getattr(module, n), type)}
        assert classes - {base} == {name for name, _ in cases}
        assert not {n for n in dir(theirs) if not n.startswith("_")} - set(dir(module))


def test_l2_has_no_half() -> None:
    assert float(regularizers.l2(0.5)(torch.tensor([1.0, 2.0]))) == 2.5
    assert regularizers.l2(l=0.25).l2 == 0.25  # type: ignore[call-arg]
    assert regularizers.get("l2").l2 == 0.01
    assert regularizers.l1_l2().l1 == 0.01
    assert regularizers.get("l1_l2").l1 == 0.0


def test_old_spellings() -> None:
    assert constraints.maxnorm(m=3).max_value == 3  # type: ignore[call-arg]
    assert isinstance(constraints.get("max_norm"), constraints.MaxNorm)
    assert isinstance(constraints.get("nonneg"), constraints.NonNeg)
    assert isinstance(constraints.get("non_neg"), constraints.NonNeg)


@pytest.mark.parametrize(
    "make",
    [
        lambda: regularizers.l2(-1.0), lambda: regularizers.L1("x"), lambda: regularizers.get("l3"),
        lambda: regularizers.L1(x=1), lambda: regularizers.OrthogonalRegularizer(mode="x"),
        lambda: regularizers.OrthogonalRegularizer()(torch.zeros(3)), lambda: constraints.get("nonnegg"),
    ],
)  # fmt: skip
def test_impossible_options_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()
