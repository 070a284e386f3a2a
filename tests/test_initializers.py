"""Every initializer: by value where Keras is deterministic, by distribution where it draws; configs both ways."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scene_lightning import initializers
from scene_lightning.errors import InputError

FIXED: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Zeros", {}, (2, 3)),
    ("Ones", {}, (2, 3)),
    ("Constant", {"value": 0.5}, (2, 3)),
    ("Identity", {"gain": 2.0}, (3, 4)),
    ("STFT", {}, (16, 1, 9)),
    ("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, (16, 1, 9)),
]
RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {"mean": 1.0, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"stddev": 0.5}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"input_axes": [0], "output_axes": [3]}),
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("Orthogonal", {"gain": 1.5}),
]


@pytest.mark.parametrize(("name", "options", "shape"), FIXED)
def test_fixed_values_equal_keras(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    theirs = getattr(keras.initializers, name)(**options)(shape).cpu().numpy()
    np.testing.assert_allclose(getattr(initializers, name)(**options)(shape).numpy(), theirs, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), RANDOM)
def test_distributions_equal_keras(name: str, options: dict[str, Any]) -> None:
    shape = (3, 3, 32, 64)
    ours = getattr(initializers, name)(seed=1, **options)(shape).numpy().ravel()
    theirs = getattr(keras.initializers, name)(seed=2, **options)(shape).cpu().numpy().ravel()
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    if name not in ("RandomNormal", "Orthogonal") and options.get("distribution") != "untruncated_normal":
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)


SCALES = st.floats(0.125, 3, width=32)
STRATEGIES: dict[str, Any] = {
    "RandomNormal": st.fixed_dictionaries({"mean": st.floats(-2, 2, width=32), "stddev": SCALES}),
    "TruncatedNormal": st.fixed_dictionaries({"mean": st.floats(-2, 2, width=32), "stddev": SCALES}),
    "RandomUniform": st.fixed_dictionaries({"minval": st.floats(-2, 0, width=32), "maxval": SCALES}),
    "VarianceScaling": st.fixed_dictionaries(
        {
            "scale": SCALES,
            "mode": st.sampled_from(["fan_in", "fan_out", "fan_avg"]),
            "distribution": st.sampled_from(["truncated_normal", "untruncated_normal", "uniform"]),
        }
    ),
    "Orthogonal": st.fixed_dictionaries({"gain": SCALES}),
    **dict.fromkeys(
        ("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"), st.just({})
    ),
}
SHAPES = st.sampled_from([(800,), (30, 40), (40, 30), (3, 3, 8, 16), (1, 7, 4, 40), (2, 3, 3, 8, 9)])


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_any_distribution_equals_keras(name: str) -> None:
    """Mean, spread, bounds and the whole distribution, for any options and shape."""

    @given(options=STRATEGIES[name], shape=SHAPES, seed=st.integers(0, 10_000))
    def draw(options: dict[str, Any], shape: tuple[int, ...], seed: int) -> None:
        if name == "Orthogonal" and len(shape) < 2:
            shape = (30, 40)
        make = lambda library, seed: getattr(library, name)(seed=seed, **options)(shape)  # noqa: E731
        ours, theirs = make(initializers, seed).numpy(), make(keras.initializers, seed + 1).cpu().numpy()
        assert ours.shape == theirs.shape
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-7
        assert ours.std() == pytest.approx(theirs.std(), rel=0.25)
        mine = getattr(initializers, name)(**options)
        there = keras.initializers.deserialize(initializers.serialize(mine))
        assert initializers.deserialize(keras.initializers.serialize(there)).get_config() == mine.get_config()

    draw()


@pytest.mark.parametrize(("name", "options"), [*RANDOM, *((n, o) for n, o, _ in FIXED)])
def test_configs_go_both_ways(name: str, options: dict[str, Any]) -> None:
    if name == "Identity":
        options = {}  # Keras' own config of Identity forgets the gain
    ours = getattr(initializers, name)(**options)
    theirs = keras.initializers.deserialize(initializers.serialize(ours))
    back = initializers.deserialize(keras.initializers.serialize(theirs))
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()


def test_every_exported_initializer_is_compared() -> None:
    classes = {
        getattr(initializers, name).__name__
        for name in initializers.__all__
        if isinstance(getattr(initializers, name), type)
    }
    assert classes - {"Initializer"} == {name for name, *_ in FIXED} | set(STRATEGIES)
    assert not {n for n in dir(keras.initializers) if not n.startswith("_")} - set(dir(initializers))


@pytest.mark.parametrize(("shape", "limit"), [((3, 3, 3, 32), 0.138013), ((200, 10), 0.169031)])
def test_glorot_uniform_bound(shape: tuple[int, ...], limit: float) -> None:
    values = initializers.glorot_uniform(seed=0)(shape)
    assert float(values.abs().max()) <= limit
    assert float(values.abs().max()) > 0.98 * limit


def test_an_integer_seed_gives_the_same_numbers_on_every_call() -> None:
    seeded = initializers.HeNormal(seed=5)
    assert torch.equal(seeded((3, 4)), seeded((3, 4)))
    free = initializers.HeNormal()
    assert not torch.equal(free((3, 4)), free((3, 4)))


def test_orthogonal_rows_are_orthonormal() -> None:
    w = initializers.Orthogonal(seed=0)((3, 3, 2, 8)).reshape(18, 8)
    torch.testing.assert_close(w.T @ w, torch.eye(8), atol=1e-5, rtol=0)
    w = initializers.Orthogonal(seed=0)((4, 8))
    torch.testing.assert_close(w @ w.T, torch.eye(4), atol=1e-5, rtol=0)


def test_identifiers() -> None:
    assert isinstance(initializers.get("glorot_uniform"), initializers.GlorotUniform)
    assert isinstance(initializers.get("uniform"), initializers.RandomUniform)
    assert isinstance(initializers.get(initializers.he_normal), initializers.HeNormal)
    assert initializers.get(None) is None
    values = np.arange(4.0).reshape(2, 2)
    assert initializers.get(values)((2, 2)).tolist() == values.tolist()
    function = lambda shape, dtype=None: torch.zeros(shape)  # noqa: E731
    assert initializers.get(function) is function
    assert initializers.HeNormal(seed=3).clone().seed == 3
    assert initializers.Ones()((2,), dtype="float16").dtype == torch.float16


@pytest.mark.parametrize(
    "make",
    [
        lambda: initializers.get("glorot_unifrom"),
        lambda: initializers.get(np.zeros(2))((3,)),
        lambda: initializers.VarianceScaling(scale=0.0),
        lambda: initializers.VarianceScaling(mode="x"),
        lambda: initializers.VarianceScaling(distribution="x"),
        lambda: initializers.HeNormal(seed="x"),
        lambda: initializers.Identity()((2,)),
        lambda: initializers.Orthogonal()((2,)),
        lambda: initializers.STFT(side="x"),
        lambda: initializers.STFT(window="x"),
        lambda: initializers.STFT(scaling="x"),
        lambda: initializers.STFT(window=np.ones(3))((4, 1, 3)),
    ],
)
def test_impossible_options_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()
