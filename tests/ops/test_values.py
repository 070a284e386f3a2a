"""The values, dtypes and signatures of every function of `keras.ops`, beside the real Keras."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import ops
from scene_lightning._unsupported import is_absent
from scene_lightning.layers import Input
from scene_lightning.layers.base.operators import operator_layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype("float32")
POSITIVE = np.abs(X) + 0.1
UNIT = (X / 10).clip(-0.9, 0.9)
COUNTS = np.arange(6, dtype="int32").reshape(2, 3)
IMAGES = RNG.uniform(0, 255, size=(2, 5, 6, 3)).astype("float32")
KERNEL = RNG.normal(size=(3, 2, 3, 4)).astype("float32")
DEEP = RNG.normal(size=(3, 2, 3, 2)).astype("float32")
ODDS = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
HOT = np.array([[1, 0, 0], [0, 0, 1]], "float32")

Y = RNG.normal(size=(2, 3, 4)).astype("float32")
BIG = np.abs(X) + 1
HOLES = np.where(X > 1, np.nan, X).astype("float32")
WHOLE = np.array([[3, 1, 4], [1, 5, 2]], "int32")
SQUARE = RNG.normal(size=(2, 3, 3)).astype("float32")
DEFINITE = (SQUARE @ SQUARE.transpose(0, 2, 1) + np.eye(3)).astype("float32")
EDGES = np.array([-1.0, 0.0, 0.5, 2.0], "float32")

BATCH = RNG.normal(size=(2, 4, 6, 8)).astype("float32")
ROWS = RNG.normal(size=(6, 3)).astype("float32")
IDS = np.array([0, 2, 1, 0, 4, -1], "int32")
AT = np.array([[0, 1], [3, 2], [3, 2]], "int32")
NEW = np.array([1.5, -2.0, 4.0], "float32")
SCALE, SHIFT = RNG.normal(size=(2, 8)).astype("float32")


Case = tuple[tuple[Any, ...], dict[str, Any]]
REDUCTIONS: list[Case] = [((HOLES,), {}), ((HOLES,), {"axis": 1}), ((HOLES,), {"axis": (0, 2), "keepdims": True})]

# function → calls, as positional and keyword arguments
CASES: dict[str, list[Case]] = {
    **{name: [((X,), {})] for name in [
        "absolute", "abs", "arctan", "ceil", "cos", "cosh", "exp", "expm1", "floor", "negative", "sign", "sin",
        "sinh", "square", "tan", "tanh", "reciprocal", "isnan", "isinf", "isfinite", "ones_like", "zeros_like",
        "ravel", "logical_not", "celu", "elu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
        "leaky_relu", "log_sigmoid", "relu", "relu6", "selu", "sigmoid", "silu", "swish", "soft_shrink", "softplus",
        "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink", "erf",
    ]},
    **{name: [((POSITIVE,), {})] for name in ["sqrt", "log", "log10", "log1p", "log2", "rsqrt"]},
    **{name: [((UNIT,), {})] for name in ["arccos", "arcsin"]},
    **{name: [((X, 0.5), {}), ((X, X[:1]), {}), ((COUNTS, COUNTS[:1]), {})] for name in [
        "add", "subtract", "multiply", "maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less",
        "less_equal",
    ]},
    **{name: [((X, POSITIVE), {}), ((COUNTS, 2), {})] for name in ["divide", "true_divide", "floor_divide", "mod"]},
    **{name: [((X > 0, X < 1), {})] for name in ["logical_and", "logical_or", "logical_xor"]},
    **{name: [((X,), {}), ((X,), {"axis": 1}), ((X,), {"axis": (0, 2), "keepdims": True}), ((COUNTS,), {"axis": -1})]
       for name in ["sum", "mean", "var", "std", "max", "min", "amax", "amin", "prod"]},

    **{name: [((X > 0,), {}), ((X > 0,), {"axis": (0, 1)})] for name in ["all", "any"]},
    **{name: [((X,), {}), ((X,), {"axis": 1, "keepdims": True})] for name in ["argmax", "argmin"]},
    **{name: [((X,), {}), ((X,), {"axis": 1})] for name in ["log_softmax", "sort", "argsort", "normalize"]},
    "softmax": [((X,), {}), ((X,), {"axis": 1})],
    "glu": [((X,), {})],
    "gelu": [((X,), {}), ((X,), {"approximate": False})],
    "threshold": [((X, 0.5, -1.0), {})],
    "arctan2": [((X, POSITIVE), {})],
    "power": [((POSITIVE, 2.5), {}), ((X, 2), {})],
    "divide_no_nan": [((X, X * (X > 0)), {})],
    "clip": [((X, -0.5, 0.5), {})],
    "round": [((X,), {}), ((X,), {"decimals": 1})],
    "nan_to_num": [((np.array([np.nan, np.inf, 1.0], "float32"),), {})],
    "where": [((X > 0, X, 0.0), {}), ((X > 0, X, -X), {})],
    "median": [((X,), {}), ((X,), {"axis": 1})],
    "count_nonzero": [((COUNTS,), {}), ((COUNTS,), {"axis": 1})],
    "cumsum": [((X,), {"axis": 1}), ((X,), {})],
    "cumprod": [((X,), {"axis": 1})],
    "logsumexp": [((X,), {}), ((X,), {"axis": 1, "keepdims": True})],
    "norm": [((X,), {"axis": -1}), ((X,), {}), ((X,), {"ord": 1, "axis": 1})],
    "moments": [((X,), {"axes": [0, 1]})],
    "matmul": [((X, X.transpose(0, 2, 1)), {})],
    "dot": [((X, X[0].T), {}), ((X[0], X[0, 0]), {})],
    "einsum": [(("bij,bkj->bik", torch.tensor(X), torch.tensor(X)), {})],
    "reshape": [((X, (2, -1)), {})],
    "transpose": [((X,), {}), ((X, (1, 0, 2)), {})],
    "expand_dims": [((X, 0), {}), ((X, (1, -1)), {})],
    "squeeze": [((X[:1],), {}), ((X[:1], 0), {})],
    "concatenate": [(([X, X],), {}), (([X, X],), {"axis": -1})],
    "stack": [(([X, X],), {"axis": 1})],
    "split": [((X, 3), {"axis": 1}), ((X, [1, 2]), {"axis": 1})],
    "unstack": [((torch.tensor(X),), {"axis": 1})],
    "stop_gradient": [((torch.tensor(X),), {})],
    "flip": [((X,), {}), ((X,), {"axis": 1})],
    "roll": [((X, 1), {"axis": 1})],
    "rot90": [((X,), {"k": 3})],
    "repeat": [((X, 2), {"axis": 1}), ((X, 2), {})],
    "tile": [((X, (1, 2, 1)), {})],
    "swapaxes": [((X, 0, 2), {})],
    "moveaxis": [((X, 0, 2), {})],
    "broadcast_to": [((X[:1], (2, 3, 4)), {})],
    "pad": [
        ((X, ((1, 1),) * 3), {}),
        ((X, ((0, 0), (1, 2), (2, 1))), {"mode": "reflect"}),
        ((X, ((0, 0), (1, 0), (0, 3))), {"constant_values": 2}),
    ],
    "take": [((X, [1, 0, -1]), {"axis": 1}), ((X, COUNTS), {})],
    "take_along_axis": [((X, np.argsort(X, 1)), {"axis": 1})],
    "cast": [((X, "int32"), {}), ((X, "bool"), {})],
    "saturate_cast": [((IMAGES * 2 - 50, "uint8"), {})],
    "slice": [((X, (0, 1, 1), (2, 2, 2)), {})],
    "top_k": [((X, 2), {})],
    "in_top_k": [(([0, 1], ODDS, 2), {})],
    "one_hot": [((COUNTS, 6), {}), ((COUNTS, 7), {"axis": 1, "dtype": "int32"})],
    "multi_hot": [((COUNTS, 7), {})],
    "binary_crossentropy": [((HOT, ODDS), {}), ((HOT, ODDS), {"from_logits": True})],
    "categorical_crossentropy": [((HOT, ODDS), {}), ((HOT, ODDS), {"from_logits": True})],
    "sparse_categorical_crossentropy": [(([0, 2], ODDS), {}), (([0, 2], ODDS), {"from_logits": True})],
    "batch_normalization": [((X, X.mean((0, 1)), X.var((0, 1)), -1), {"offset": X[0, 0], "scale": X[0, 1]})],
    "conv": [
        ((IMAGES, KERNEL), {}),
        ((IMAGES, KERNEL), {"strides": 2, "padding": "same"}),
        ((IMAGES, KERNEL), {"dilation_rate": 2, "padding": "same"}),
    ],
    "depthwise_conv": [((IMAGES, DEEP), {"padding": "same"})],
    "max_pool": [((IMAGES, 2), {}), ((IMAGES, 3), {"strides": 2, "padding": "same"})],
    "average_pool": [((IMAGES, 2), {})],
    "image.resize": [((IMAGES, (7, 4)), {}), ((IMAGES[0], (3, 3)), {"interpolation": "nearest"})],
    "image.rgb_to_grayscale": [((IMAGES,), {})],
    "image.rgb_to_hsv": [((IMAGES / 255,), {})],
    "image.hsv_to_rgb": [((IMAGES / 255,), {})],
    "image.extract_patches": [
        ((IMAGES, 2), {}), ((IMAGES, (3, 2), (2, 1), 1, "same"), {}), ((IMAGES[0], 2, 1, 2), {}),
    ],
    "image.pad_images": [((IMAGES, 1, 2, 3, 4), {}), ((IMAGES, 1, 2), {"target_height": 9, "target_width": 9})],
    "image.crop_images": [((IMAGES, 1, 1, 1, 2), {}), ((IMAGES, 1, 2), {"target_height": 2, "target_width": 2})],
    "zeros": [(((2, 3),), {})],
    "ones": [(((2, 3),), {"dtype": "int32"})],
    "full": [(((2, 3), 0.5), {})],
    "eye": [((3,), {}), ((3, 4), {"k": 1})],
    "arange": [((3,), {}), ((1, 4, 0.5), {})],
    "linspace": [((0.0, 1.0), {"num": 5})],
    "shape": [((X,), {})],
    "ndim": [((X,), {})],
    "size": [((X,), {})],
    "convert_to_numpy": [((X,), {})],
    "convert_to_tensor": [(([1, 2],), {}), (([1.0, 2.0],), {}), ((X,), {"dtype": "int32"})],
    "array": [(([1, 2],), {})],
    # -- less common ones
    **{key: [((X,), {})] for key in ("angle", "arcsinh", "cbrt", "copy", "deg2rad", "exp2", "fabs", "i0", "isneginf")},
    **{key: [((X,), {})] for key in ("isposinf", "isreal", "rad2deg", "real", "signbit", "sinc", "trunc")},
    **{key: [((X,), {})] for key in ("conj", "conjugate", "fliplr", "flipud")},
    "arccosh": [((BIG,), {})],
    "arctanh": [((UNIT,), {})],
    **{key: [((WHOLE,), {})] for key in ("bitwise_invert", "bitwise_not")},
    **{key: [((WHOLE, WHOLE[:1]), {})] for key in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")},
    **{key: [((WHOLE, 1), {})] for key in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")},
    **{key: [((X, Y), {}), ((X, Y[:1]), {})] for key in ("fmax", "fmin", "fmod", "heaviside", "hypot", "logaddexp")},
    **{key: [((X, Y), {})] for key in ("logaddexp2", "nextafter", "kron", "outer")},
    "vdot": [((X.ravel(), Y.ravel()), {})],
    "imag": [((X + 1j * Y,), {})],
    "inner": [((X, Y), {}), ((X[0, 0], Y[0, 0]), {})],
    "append": [((X, Y), {}), ((X, Y), {"axis": 1})],
    "array_split": [((X, 3), {"axis": 2})],
    "average": [((X,), {})],
    "bincount": [((WHOLE[0],), {}), ((WHOLE,), {"minlength": 8})],
    "cross": [((X.reshape(2, 4, 3), Y.reshape(2, 4, 3)), {})],
    "diag": [((X[0],), {}), ((X[0, 0],), {"k": 1})],
    "diagflat": [((X[0, 0],), {"k": -1})],
    "diagonal": [((X,), {}), ((X,), {"offset": 1, "axis1": 1, "axis2": 2})],
    "diff": [((X,), {}), ((X,), {"n": 2, "axis": 1})],
    "digitize": [((X, EDGES), {})],
    **{key: [(([X, Y],), {})] for key in ("hstack", "vstack", "dstack")},
    "full_like": [((X, 2.5), {}), ((WHOLE, 2), {})],
    **{key: [((X, X + 1e-06), {}), ((X, Y), {"atol": 0.5})] for key in ("isclose", "allclose")},
    "isin": [((WHOLE, np.array([1, 2], "int32")), {}), ((WHOLE, np.array([1], "int32")), {"invert": True})],
    "nonzero": [((WHOLE - 1,), {})],
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
    "cholesky": [((DEFINITE,), {})],
    "eigh": [((DEFINITE,), {})],
    "lstsq": [((X[0], Y[0]), {}), ((X[0], Y[0, :, 0]), {})],
    "matrix_rank": [((SQUARE,), {})],
    "qr": [((X,), {})],
    "solve": [((SQUARE, X), {})],
    "solve_triangular": [((np.tril(DEFINITE), X), {"lower": True})],
    "svd": [((X,), {"full_matrices": False}), ((X,), {"compute_uv": False})],
    **{name: [((7,), {}), ((4,), {})] for name in ("bartlett", "blackman", "hamming", "hanning")},
    "kaiser": [((7, 2.5), {}), ((4, 14), {})],
    **{name: [((BATCH, 2), {}), ((BATCH, 2), {"data_format": "channels_first"})] for name in ("space_to_depth",)},
    "depth_to_space": [((BATCH, 2), {}), ((BATCH.transpose(0, 3, 1, 2), 2), {"data_format": "channels_first"})],
    **{name: [(((BATCH, BATCH[::-1].copy()),), {})] for name in ("fft2", "ifft2")},
    "layer_normalization": [((BATCH,), {}), ((BATCH, SCALE, SHIFT), {"epsilon": 0.1}), ((BATCH,), {"axis": (2, 3)})],
    "rms_normalization": [((BATCH,), {}), ((BATCH, SCALE), {"epsilon": 0.1}), ((BATCH,), {"axis": (2, 3)})],
    "psnr": [((BATCH, BATCH + 0.5, 2.0), {})],
    "scatter": [((AT, NEW, (4, 3)), {}), ((AT[:, 1:], ROWS[:3], (3, 3)), {})],
    "scatter_update": [
        ((ROWS, AT[:2], NEW[:2]), {}),
        *(((ROWS, AT, NEW), {"reduction": how}) for how in ("add", "max", "min", "mul")),
    ],
    **{name: [((ROWS, IDS), {}), ((ROWS, IDS, 3), {}), ((NEW, IDS[:3]), {})]
       for name in ("segment_max", "segment_min", "segment_prod", "segment_sum")},
    "slice_update": [((ROWS, [2, 1], ROWS[:2, :2]), {})],
    "switch": [((index, [np.add, np.subtract], 3, 2), {}) for index in (0, 1, 5)],
    # -- arguments that came late
    "max ": [((X,), {"initial": 0.5}), ((COUNTS,), {"axis": 1, "initial": 2})],
    "min ": [((X,), {"axis": 1, "initial": -0.5})],
    "prod ": [((X,), {"dtype": "float64"})],
    **{f"{name} ": [((X,), {"dtype": "int32"})] for name in ("zeros_like", "ones_like")},
    "linspace ": [
        ((0.0, 1.0), {"num": 4, "endpoint": False}), ((1, 9), {"num": 5, "dtype": "int32"}), ((2.0, 3.0), {"num": 1}),
        ((X[0, 0], X[0, 1]), {"num": 4}),
    ],
}  # fmt: skip
COVERED = {name.strip() for name in CASES}
NO_VALUES = {"empty", "empty_like", "eig"}  # vectors of any phase
OF_FUNCTIONS = {"cond", "map", "vectorized_map", "while_loop", "is_tensor", "dtype"}  # test_ops.py


def find(library: Any, name: str) -> Any:
    for part in name.strip().split("."):
        library = getattr(library, part)
    return library


def arrays(result: Any) -> list[np.ndarray]:
    if isinstance(result, list | tuple):
        return [array for part in result for array in arrays(part)]
    return [result.detach().cpu().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)]


@pytest.mark.parametrize("name", sorted(CASES))
def test_values_and_dtypes_equal_keras(name: str) -> None:
    for args, kwargs in CASES[name]:
        mine, theirs = (arrays(find(library, name)(*args, **kwargs)) for library in (ops, keras.ops))
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            assert a.shape == b.shape, (args[1:], kwargs)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4 if "fft" in name else 2e-5)
            assert a.dtype.kind == b.dtype.kind or {a.dtype.kind, b.dtype.kind} == {"i", "u"}, (kwargs, b.dtype)


def test_every_export_is_compared_and_every_keras_name_answers() -> None:
    assert set(ops.__all__) - COVERED - NO_VALUES - OF_FUNCTIONS == {"image", "linalg", "nn", "numpy"}
    for space in ("", "image", "linalg", "nn", "numpy"):
        theirs, mine = (find(library, space) if space else library for library in (keras.ops, ops))
        assert [name for name in dir(theirs) if name[0] != "_" and not hasattr(mine, name)] == []


def test_operations_have_keras_names_in_files() -> None:
    for name, layer in operator_layers().items():
        assert hasattr(importlib.import_module(layer._keras_module), name), f"{layer._keras_module} has no {name}"


def signature(function: Any) -> list[tuple[str, str]]:
    """(name, default) of each argument, without the `**kwargs` in which Keras takes former names."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, repr(p.default)) for p in parameters if p.kind is not p.VAR_KEYWORD]


@pytest.mark.parametrize("space", ["", "image", "linalg", "nn", "numpy"])
def test_signatures_equal_keras(space: str) -> None:
    theirs, mine = (find(library, space) if space else library for library in (keras.ops, ops))
    wrong = []
    for name in (name for name in dir(theirs) if inspect.isfunction(getattr(theirs, name))):
        function = getattr(mine, name)
        if not is_absent(function) and (a := signature(function)) != (b := signature(getattr(theirs, name))):
            wrong.append(f"{name}: {a}, Keras has {b}")
    assert not wrong, "\n".join(wrong)


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


def test_what_keras_on_torch_cannot_be_asked_for() -> None:
    assert ops.empty((2, 3)).shape == ops.empty_like(torch.zeros(2, 3)).shape == (2, 3)
    values, vectors = ops.eig(torch.tensor(DEFINITE))
    torch.testing.assert_close(torch.tensor(DEFINITE) + 0j, vectors @ torch.diag_embed(values) @ vectors.inverse())
    weights = np.array([1.0, 2.0, 3.0], "float32")  # along one axis, which Keras on torch refuses
    np.testing.assert_allclose(ops.average(X, 1, weights), np.average(X, 1, weights), rtol=1e-5)
    x = Input((3, 4))
    assert ops.ptp(x, axis=2).shape == (None, 3)
    assert ops.tril(x).shape == ops.arcsinh(x).shape == (None, 3, 4)
    numbers, gap = ops.linspace(X[0, 0], X[0, 1], 5, retstep=True, axis=1)  # Keras' torch has neither
    np.testing.assert_allclose(numbers, np.linspace(X[0, 0], X[0, 1], 5, axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gap, np.linspace(X[0, 0], X[0, 1], 5, retstep=True)[1], rtol=1e-5, atol=1e-6)
    assert ops.segment_max(torch.tensor([3, 1]), torch.tensor([0, 0])).tolist() == [3]  # whole numbers stay whole
