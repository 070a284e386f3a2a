"""Convolutions with kernels that are kept as oneDNN lays them out, against the plain ones."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scene_lightning import fast
from scene_lightning.fast import packing
from scene_lightning.layers import Conv2D, Dense, DepthwiseConv2D, GlobalAveragePooling2D, Input, Layer, MaxPooling2D
from scene_lightning.models import Sequential

needs_onednn = pytest.mark.skipif(
    not packing._available(), reason="this build of torch has no oneDNN that packs kernels"
)
IMAGES = np.random.default_rng(0).normal(size=(9, 20, 18, 16)).astype("float32")
LAYERS = {
    "plain": lambda: Conv2D(24, 3, activation="relu"),
    "strides and padding": lambda: Conv2D(24, 3, strides=2, padding="same"),
    "one by one": lambda: Conv2D(24, 1, use_bias=False),
    "groups": lambda: Conv2D(24, 3, groups=4),
    "dilation": lambda: Conv2D(24, 3, dilation_rate=2),
    "depthwise": lambda: DepthwiseConv2D(3, strides=2),
    "depthwise twice": lambda: DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
    "a single filter": lambda: Conv2D(1, 3),
    "before pooling": lambda: Sequential([Input(IMAGES.shape[1:]), Conv2D(24, 3, activation="relu"), MaxPooling2D()]),
}
NOT_PACKED = {"dilation", "a single filter"}


def network(layer: Layer) -> Sequential:
    return Sequential([Input(IMAGES.shape[1:]), layer, GlobalAveragePooling2D(), Dense(3)])


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape of images for which a kernel is packed, one after another."""
    shapes: list[tuple[int, ...]] = []
    pack = torch._C._nn.mkldnn_reorder_conv2d_weight

    def counted(*arguments: object) -> torch.Tensor:
        shapes.append(tuple(arguments[-1]))  # type: ignore[arg-type]
        return pack(*arguments)

    monkeypatch.setattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", counted)
    return shapes


@needs_onednn
@pytest.mark.parametrize("name", LAYERS)
def test_the_answers_are_the_plain_ones_for_any_number_of_images(name: str, packed: list[tuple[int, ...]]) -> None:
    model = network(LAYERS[name]())
    for count in (1, 1, 3, 9, 1):
        quick = model.predict_on_batch(IMAGES[:count])
        with fast.plain_paths():
            plain = model.predict_on_batch(IMAGES[:count])
        np.testing.assert_allclose(quick, plain, rtol=1e-5, atol=1e-6)
    assert [shape[0] for shape in packed] == ([] if name in NOT_PACKED else [1, 3, 1])


@needs_onednn
def test_one_kernel_is_packed_once_for_many_calls(packed: list[tuple[int, ...]]) -> None:
    model = network(Conv2D(24, 3))
    for _ in range(3):
        model.predict(IMAGES[:1], verbose=0)
        model.predict_on_batch(IMAGES[:1])
    assert len(packed) == 1
    model.layers[0].kernel.data.mul_(2.0)
    model.predict(IMAGES[:1], verbose=0)
    assert len(packed) == 2


def test_gradients_and_counters_meet_the_plain_convolution() -> None:
    model = network(Conv2D(24, 3))
    model.predict_on_batch(IMAGES[:1])
    with fast.folded(model):
        outputs = model(torch.from_numpy(IMAGES[:1]))
        outputs.sum().backward()
        assert model.layers[0].kernel.grad is not None
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.from_numpy(IMAGES[:1]), training=False)
    assert counter.get_total_flops() == 2 * (18 * 16 * 24 * 9 * 16 + 24 * 3)


def test_weights_that_change_within_a_prediction_count() -> None:
    model = network(Conv2D(24, 3))
    images = torch.from_numpy(IMAGES[:1])
    with fast.folded(model), torch.no_grad():
        before = model(images, training=False)
        model.layers[0].kernel.mul_(2.0)
        after = model(images, training=False)
    bias = model.layers[-1].bias
    torch.testing.assert_close(after - bias, 2 * (before - bias))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_is_copied_within_a_prediction(copied: Callable[[Sequential], Sequential]) -> None:
    model = network(Conv2D(24, 3))
    wanted = model.predict(IMAGES[:1], verbose=0)
    with fast.folded(model):
        other = copied(model)
    np.testing.assert_array_equal(other.predict(IMAGES[:1], verbose=0), wanted)


def test_several_threads_predict_images_of_several_sizes() -> None:
    model = Sequential([Input((None, None, 16)), Conv2D(24, 3, strides=2, padding="same"), GlobalAveragePooling2D()])
    sizes = [(20, 18), (19, 18), (20, 17), (13, 13)] * 8
    with fast.folded(model), ThreadPoolExecutor(4) as pool:

        def predict(size: tuple[int, int]) -> torch.Tensor:
            with torch.no_grad():
                return model(torch.from_numpy(IMAGES[:1, : size[0], : size[1]]).contiguous(), training=False)

        found = list(pool.map(predict, sizes))
    for size, outputs in zip(sizes, found, strict=True):
        torch.testing.assert_close(outputs, model(torch.from_numpy(IMAGES[:1, : size[0], : size[1]])).detach())
