"""`ops.arrays` and `ops.linalg` beside the real Keras: values, shapes and gradients of what is drawn or listed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import ops
from scene_lightning.layers import Input
from scene_lightning.ops import arrays, linalg

RNG = np.random.default_rng(3)
X = RNG.normal(size=(2, 3, 4)).astype("float32")
Y = RNG.normal(size=(2, 3, 4)).astype("float32")
BIG = np.abs(X) + 1
UNIT = (X / 10).clip(-0.9, 0.9)
HOLES = np.where(X > 1, np.nan, X).astype("float32")
COUNTS = np.array([[3, 1, 4], [1, 5, 2]], "int32")
SQUARE = RNG.normal(size=(2, 3, 3)).astype("float32")
POSITIVE = (SQUARE @ SQUARE.transpose(0, 2, 1) + np.eye(3)).astype("float32")
EDGES = np.array([-1.0, 0.0, 0.5, 2.0], "float32")

Case = tuple[tuple[Any, ...], dict[str, Any]]
REDUCTIONS: list[Case] = [((HOLES,), {}), ((HOLES,), {"axis": 1}), ((HOLES,), {"axis": (0, 2), "keepdims": True})]
CASES: dict[str, list[Case]] = {
    **{key: [((X,), {})] for key in ("angle", "arcsinh", "cbrt", "copy", "deg2rad", "exp2", "fabs", "i0", "isneginf")},
    **{key: [((X,), {})] for key in ("isposinf", "isreal", "rad2deg", "real", "signbit", "sinc", "trunc")},
    **{key: [((X,), {})] for key in ("conj", "conjugate", "fliplr", "flipud")},
    "arccosh": [((BIG,), {})],
    "arctanh": [((UNIT,), {})],
    **{key: [((COUNTS,), {})] for key in ("bitwise_invert", "bitwise_not")},
    **{key: [((COUNTS, COUNTS[:1]), {})] for key in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")},
    **{key: [((COUNTS, 1), {})] for key in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")},
    **{key: [((X, Y), {}), ((X, Y[:1]), {})] for key in ("fmax", "fmin", "fmod", "heaviside", "hypot", "logaddexp")},
    **{key: [((X, Y), {})] for key in ("logaddexp2", "nextafter", "kron", "outer")},
    "vdot": [((X.ravel(), Y.ravel()), {})],
    "imag": [((X + 1j * Y,), {})],
    "inner": [((X, Y), {}), ((X[0, 0], Y[0, 0]), {})],
    "append": [((X, Y), {}), ((X, Y), {"axis": 1})],
    "array_split": [((X, 3), {"axis": 2})],
    "average": [
        ((X,), {}),
    ],
    "bincount": [((COUNTS[0],), {}), ((COUNTS,), {"minlength": 8})],
    "cross": [((X.reshape(2, 4, 3), Y.reshape(2, 4, 3)), {})],
    "diag": [((X[0],), {}), ((X[0, 0],), {"k": 1})],
    "diagflat": [((X[0, 0],), {"k": -1})],
    "diagonal": [((X,), {}), ((X,), {"offset": 1, "axis1": 1, "axis2": 2})],
    "diff": [((X,), {}), ((X,), {"n": 2, "axis": 1})],
    "digitize": [((X, EDGES), {})],
    **{key: [(([X, Y],), {})] for key in ("hstack", "vstack", "dstack")},
    "full_like": [((X, 2.5), {}), ((COUNTS, 2), {})],
    **{key: [((X, X + 1e-06), {}), ((X, Y), {"atol": 0.5})] for key in ("isclose", "allclose")},
    "isin": [((COUNTS, np.array([1, 2], "int32")), {}), ((COUNTS, np.array([1], "int32")), {"invert": True})],
    "nonzero": [((COUNTS - 1,), {})],
    "quantile": [((X, 0.3), {}), ((X, [0.2, 0.8]), {"axis": 1}), ((X, 0.5), {"axis": (0, 2), "keepdims": True})],
    "percentile": [((X, 30.0), {}), ((X, 75.0), {"axis": 1})],
    "ptp": [((X,), {}), ((X,), {"axis": 1, "keepdims": True})],
    "searchsorted": [((EDGES, X[0, 0]), {}), ((EDGES, EDGES), {"side": "right"})],
    "tensordot": [((X, Y), {"axes": 3}), ((X, Y), {"axes": [[0, 1], [0, 1]]})],
    "trace": [((X,), {}), ((X,), {"axis1": 1, "axis2": 2})],
    **{key: [((X,), {}), ((X,), {"k": 1})] for key in ("tril", "triu")},
    "identity": [((3,), {})],
    "tri": [((3,), {}), ((3, 4), {"k": 1})],
    "meshgrid": [((EDGES, EDGES[:2]), {}), ((EDGES, EDGES[:2]), {"indexing": "ij"})],
    "logspace": [((0.0, 2.0), {"num": 5}), ((0.0, 2.0), {"num": 4, "endpoint": False, "base": 2})],
    **dict.fromkeys(("nanmax", "nanmin", "nanmean", "nansum", "nanvar", "nanstd"), REDUCTIONS),
    **{key: [((SQUARE,), {})] for key in ("det", "inv", "pinv")},
    "cholesky": [((POSITIVE,), {})],
    "eigh": [((POSITIVE,), {})],
    "lstsq": [((X[0], Y[0]), {}), ((X[0], Y[0, :, 0]), {})],
    "matrix_rank": [((SQUARE,), {})],
    "qr": [((X,), {})],
    "solve": [((SQUARE, X), {})],
    "solve_triangular": [((np.tril(POSITIVE), X), {"lower": True})],
    "svd": [((X,), {"full_matrices": False}), ((X,), {"compute_uv": False})],
}
SHAPED = {"empty", "empty_like", "eig"}  # no values, and vectors of any phase
PARITY = sorted(CASES)


def leaves(value: Any) -> list[np.ndarray]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [np.asarray(value.detach().numpy() if isinstance(value, torch.Tensor) else value)]


@pytest.mark.parametrize("name", PARITY)
def test_values_equal_keras(name: str) -> None:
    for args, kwargs in CASES[name]:
        found, expected = leaves(getattr(ops, name)(*args, **kwargs)), leaves(getattr(keras.ops, name)(*args, **kwargs))
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert mine.shape == theirs.shape
            assert mine.dtype.kind == theirs.dtype.kind
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=2e-5)


NUMBERS = st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6)
SMOOTH = ("arcsinh", "average", "cross", "diff", "hypot", "inner", "logaddexp", "outer", "tensordot", "trace", "tril")


@given(name=st.sampled_from(SMOOTH), first=NUMBERS, second=NUMBERS)
def test_any_numbers_and_gradients_equal_keras(name: str, first: list[float], second: list[float]) -> None:
    results = []
    for library in (ops, keras.ops):
        a, b = (torch.tensor(n).reshape(2, 3).requires_grad_() for n in (first, second))
        two = len(CASES[name][0][0]) == 2
        value = getattr(library, name)(*((a, b) if two else (a,)))
        value.sum().backward()
        results.append((value.detach(), a.grad))
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_every_name_is_compared_and_works_on_symbolic_tensors() -> None:
    assert {*arrays.__all__, *linalg.__all__} - {"norm"} == {*CASES} | SHAPED
    assert ops.empty((2, 3)).shape == ops.empty_like(torch.zeros(2, 3)).shape == (2, 3)
    values, vectors = ops.eig(torch.tensor(POSITIVE))
    torch.testing.assert_close(torch.tensor(POSITIVE) + 0j, vectors @ torch.diag_embed(values) @ vectors.inverse())
    weights = np.array([1.0, 2.0, 3.0], "float32")  # along one axis, which Keras on torch refuses
    np.testing.assert_allclose(ops.average(X, 1, weights), np.average(X, 1, weights), rtol=1e-5)
    x = Input((3, 4))
    assert ops.ptp(x, axis=2).shape == (None, 3)
    assert ops.tril(x).shape == ops.arcsinh(x).shape == (None, 3, 4)
