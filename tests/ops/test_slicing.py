"""`ops.pieces` beside the real Keras: values, shapes, and calls on symbolic tensors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning import ops
from scene_lightning.errors import InputError
from scene_lightning.ops import slicing

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4, 6, 8)).astype("float32")
ROWS = RNG.normal(size=(6, 3)).astype("float32")
IDS = np.array([0, 2, 1, 0, 4, -1], "int32")
AT = np.array([[0, 1], [3, 2], [3, 2]], "int32")
NEW = np.array([1.5, -2.0, 4.0], "float32")
SCALE, SHIFT = RNG.normal(size=(2, 8)).astype("float32")

Case = tuple[tuple[Any, ...], dict[str, Any]]
CASES: dict[str, list[Case]] = {
    **{name: [((7,), {}), ((4,), {})] for name in ("bartlett", "blackman", "hamming", "hanning")},
    "kaiser": [((7, 2.5), {}), ((4, 14), {})],
    **{name: [((X, 2), {}), ((X, 2), {"data_format": "channels_first"})] for name in ("space_to_depth",)},
    "depth_to_space": [((X, 2), {}), ((X.transpose(0, 3, 1, 2), 2), {"data_format": "channels_first"})],
    **{name: [(((X, X[::-1].copy()),), {})] for name in ("fft2", "ifft2")},
    "layer_normalization": [((X,), {}), ((X, SCALE, SHIFT), {"epsilon": 0.1}), ((X,), {"axis": (2, 3)})],
    "rms_normalization": [((X,), {}), ((X, SCALE), {"epsilon": 0.1}), ((X,), {"axis": (2, 3)})],
    "psnr": [((X, X + 0.5, 2.0), {})],
    "scatter": [((AT, NEW, (4, 3)), {}), ((AT[:, 1:], ROWS[:3], (3, 3)), {})],
    "scatter_update": [
        ((ROWS, AT[:2], NEW[:2]), {}),
        *(((ROWS, AT, NEW), {"reduction": how}) for how in ("add", "max", "min", "mul")),
    ],
    **{name: [((ROWS, IDS), {}), ((ROWS, IDS, 3), {}), ((NEW, IDS[:3]), {})]
       for name in ("segment_max", "segment_min", "segment_prod", "segment_sum")},
    "slice_update": [((ROWS, [2, 1], ROWS[:2, :2]), {})],
    "switch": [((index, [np.add, np.subtract], 3, 2), {}) for index in (0, 1, 5)],
}  # fmt: skip


def leaves(result: Any) -> list[np.ndarray]:
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else [result])]


@pytest.mark.parametrize("name", sorted(CASES))
def test_values_equal_keras(name: str) -> None:
    for args, kwargs in CASES[name]:
        found, expected = (leaves(getattr(library, name)(*args, **kwargs)) for library in (ops, keras.ops))
        for mine, theirs in zip(found, expected, strict=True):
            assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-4 if "fft" in name else 2e-5)


def test_every_name_is_compared() -> None:
    assert set(slicing.__all__) == set(CASES)
    assert ops.segment_max(torch.tensor([3, 1]), torch.tensor([0, 0])).tolist() == [3]  # whole numbers stay whole
    with pytest.raises(InputError, match="reduction"):
        ops.scatter_update(ROWS, AT, NEW, reduction="mean")
    with pytest.raises(InputError, match="real and the imaginary"):
        ops.fft2(X)


@pytest.mark.parametrize(
    "use",
    [
        lambda k, x: k.ops.space_to_depth(x, 2),
        lambda k, x: k.ops.depth_to_space(x, 2),
        lambda k, x: k.ops.layer_normalization(x, epsilon=0.01),
        lambda k, x: k.ops.rms_normalization(x),
    ],
)
def test_symbolic_calls(use: Any) -> None:
    found, expected = [], []
    for library, results in ((ours, found), (keras, expected)):
        x = library.Input((4, 6, 8))
        results.append(library.Model(x, use(library, x)).predict(X, verbose=0))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-5)
