"""Every regularizer and constraint beside the real Keras: values, gradients and configs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


AMOUNT = st.floats(0, 3, width=32)
ANY_REGULARIZER: dict[str, Any] = {
    "L1": st.fixed_dictionaries({"l1": AMOUNT}),
    "L2": st.fixed_dictionaries({"l2": AMOUNT}),
    "L1L2": st.fixed_dictionaries({"l1": AMOUNT, "l2": AMOUNT}),
    "OrthogonalRegularizer": st.fixed_dictionaries({"factor": AMOUNT, "mode": st.sampled_from(["rows", "columns"])}),
}
AXES = st.sampled_from([0, 1, -1, [0], [0, 1], [-1, 0], [1, 2], [0, 1, 2]])
ANY_CONSTRAINT: dict[str, Any] = {
    "MaxNorm": st.fixed_dictionaries({"max_value": AMOUNT, "axis": AXES}),
    "NonNeg": st.just({}),
    "UnitNorm": st.fixed_dictionaries({"axis": AXES}),
    "MinMaxNorm": st.fixed_dictionaries(
        {"min_value": AMOUNT, "max_value": AMOUNT, "rate": st.floats(0, 1, width=32), "axis": AXES}
    ),
}


@pytest.mark.parametrize("name", sorted(ANY_REGULARIZER))
def test_any_regularizer_equals_keras(name: str) -> None:
    @given(options=ANY_REGULARIZER[name], rank=st.integers(1, 4), sides=st.integers(1, 5), seed=st.integers(0, 99))
    def draw(options: dict[str, Any], rank: int, sides: int, seed: int) -> None:
        shape = (sides, 3) if name == "OrthogonalRegularizer" else (sides, 2, 3, 2)[:rank]
        values = np.random.default_rng(seed).normal(size=shape).astype("float32")
        results = []
        for library in (regularizers, keras.regularizers):
            x = torch.tensor(values, requires_grad=True)
            penalty = getattr(library, name)(**options)(x) + 0 * x.sum()
            penalty.backward()
            results.append((penalty.detach(), x.grad))
        for mine, theirs in zip(*results, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)  # one row: 0/0
        check_config(regularizers, keras.regularizers, name, options)

    draw()


@pytest.mark.parametrize("name", sorted(ANY_CONSTRAINT))
def test_any_constraint_equals_keras(name: str) -> None:
    @given(options=ANY_CONSTRAINT[name], sides=st.integers(1, 5), seed=st.integers(0, 99))
    def draw(options: dict[str, Any], sides: int, seed: int) -> None:
        w = torch.tensor(np.random.default_rng(seed).normal(size=(sides, 3, 2, 4)).astype("float32"))
        mine, theirs = getattr(constraints, name)(**options)(w), getattr(keras.constraints, name)(**options)(w)
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
        check_config(constraints, keras.constraints, name, options)

    draw()


def check_config(ours: Any, theirs: Any, name: str, options: dict[str, Any]) -> None:
    """Either library's config, read by the other, is the same object."""
    mine, reference = getattr(ours, name)(**options), getattr(theirs, name)(**options)
    there, here = theirs.deserialize(ours.serialize(mine)), ours.deserialize(theirs.serialize(reference))
    for found, expected in ((there, reference), (here, mine)):
        a, b = found.get_config(), expected.get_config()
        assert {k: np.asarray(v).tolist() for k, v in a.items()} == {k: np.asarray(v).tolist() for k, v in b.items()}


def test_every_exported_one_is_compared() -> None:
    for module, theirs, cases, base in (
        (regularizers, keras.regularizers, ANY_REGULARIZER, "Regularizer"),
        (constraints, keras.constraints, ANY_CONSTRAINT, "Constraint"),
    ):
        classes = {getattr(module, n).__name__ for n in module.__all__ if isinstance(getattr(module, n), type)}
        assert classes - {base} == set(cases)
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
