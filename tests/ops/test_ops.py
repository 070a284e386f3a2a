"""`keras.ops` beside the real Keras: values and dtypes; symbolic calls, alone and through a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning import ops
from scene_lightning.errors import InputError, UnsupportedError

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

# function → calls, as positional and keyword arguments
CASES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
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
}  # fmt: skip


def find(library: Any, name: str) -> Any:
    for part in name.split("."):
        library = getattr(library, part)
    return library


def arrays(result: Any) -> list[np.ndarray]:
    if isinstance(result, list | tuple):
        return [array for part in result for array in arrays(part)]
    return [result.detach().cpu().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)]


@pytest.mark.parametrize("name", sorted(CASES))
def test_values_and_dtypes_equal_keras(name: str) -> None:
    for args, kwargs in CASES[name]:
        found, expected = (arrays(find(library, name)(*args, **kwargs)) for library in (ops, keras.ops))
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert a.shape == b.shape, (args[1:], kwargs)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
            assert (a.dtype.kind, b.dtype.kind) in {(k, k) for k in "fbiu"} | {("i", "u"), ("u", "i")}, (
                kwargs,
                b.dtype,
            )


@pytest.mark.parametrize("mode", ["edge", "symmetric", "reflect"])
def test_pad_has_numpys_modes(mode: str) -> None:  # Keras on torch lacks the first, and the second for some shapes
    widths = ((1, 1), (2, 1), (0, 3))
    np.testing.assert_array_equal(ops.pad(X, widths, mode=mode).numpy(), np.pad(X, widths, mode=mode))


def test_functions_of_functions() -> None:
    x = torch.tensor([1.0, 2.0])
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert ops.map(lambda v: v * 2, x).tolist() == ops.vectorized_map(lambda v: v * 2, x).tolist() == [2.0, 4.0]
    assert ops.while_loop(lambda i: i < 3, lambda i: i + 1, 0) == 3
    assert ops.is_tensor(x) and not ops.is_tensor([1.0])
    assert ops.dtype(x) == "float32"


SYMBOLIC = {
    "mean": lambda k, x: k.ops.mean(x, axis=[1, 2]),
    "concatenate": lambda k, x: k.ops.concatenate([x, k.ops.relu(x - 0.5)], axis=-1),
    "reshape": lambda k, x: k.ops.reshape(x, (-1, 36)),
    "resize": lambda k, x: k.ops.image.resize(x, (2, 2)),
    "maximum": lambda k, x: k.ops.maximum(x, 0.1) * k.ops.sqrt(k.ops.abs(x)),
    "max": lambda k, x: k.ops.softmax(k.ops.max(x, axis=(1, 2)), axis=-1),
    "transpose": lambda k, x: k.ops.squeeze(k.ops.expand_dims(k.ops.transpose(x, (0, 3, 1, 2)), 1), 1),
    "cast": lambda k, x: k.ops.cast(k.ops.greater(k.ops.clip(x, 0.2, 0.8), 0.5), "float32"),
}


@pytest.mark.parametrize("name", sorted(SYMBOLIC))
def test_symbolic_calls_go_to_keras_and_back(name: str, tmp_path: Path) -> None:
    images = RNG.uniform(size=(3, 4, 3, 3)).astype("float32")
    models = []
    for library in (ours, keras):
        x = library.Input((4, 3, 3))
        models.append(library.Model(x, SYMBOLIC[name](library, x)))
    found, expected = (model.predict(images, verbose=0) for model in models)
    assert tuple(models[0].output.shape) == tuple(models[1].output.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for model, load in zip(models, (keras.models.load_model, ours.models.load_model), strict=True):
        path = tmp_path / f"{type(model).__module__}.keras"
        model.save(path)
        np.testing.assert_allclose(load(path).predict(images, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_every_export_is_compared_and_every_keras_name_answers() -> None:
    elsewhere = {"cond", "map", "vectorized_map", "while_loop", "is_tensor", "dtype", "image", "nn", "numpy"}
    elsewhere |= {
        "linalg",
        *ops.arrays.__all__,
        *ops.linalg.__all__,
        *ops.pieces.__all__,
    }  # test_arrays.py, test_pieces.py
    assert set(ops.__all__) - set(CASES) - elsewhere == set()
    for space in ("", "image", "linalg", "nn"):
        theirs, mine = (find(library, space) if space else library for library in (keras.ops, ops))
        assert [name for name in dir(theirs) if name[0] != "_" and not hasattr(mine, name)] == []


def test_what_is_not_here_says_what_to_use() -> None:
    with pytest.raises(UnsupportedError, match=r"keras\.ops\.fft is not supported.*torch"):
        ops.fft(X)
    with pytest.raises(UnsupportedError, match=r"keras\.ops\.linalg\.lu_factor.*torch\.linalg"):
        ops.linalg.lu_factor(X)
    with pytest.raises(AttributeError, match="concatenate"):
        _ = ops.concatenat
    with pytest.raises(InputError, match="Lambda"):
        ops.clip(X, 0, ours.Input((2,)))
    with pytest.raises(InputError, match="exactly two"):
        ops.image.pad_images(IMAGES, 1)
