"""Convolutions by other ways than oneDNN: torch's own in float64 is the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scene_lightning import fast
from scene_lightning.fast import convolution as module
from scene_lightning.fast import winograd
from scene_lightning.layers import BatchNormalization, Conv2D, GlobalAveragePooling2D, Input, MaxPooling2D
from scene_lightning.models import Sequential


@pytest.fixture(autouse=True)
def on_any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_slow_here", lambda: True)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of kernels whose gradient was taken so."""
    shapes: list[tuple[int, ...]] = []
    plain = module.kernel_gradient

    def noted(images: Any, shape: Any, *given: Any) -> torch.Tensor:
        shapes.append(tuple(shape))
        return plain(images, shape, *given)

    monkeypatch.setattr(module, "kernel_gradient", noted)
    return shapes


def network(padding: str, dtype: str) -> Any:
    return Sequential(
        [Input((19, 18, 32), dtype=dtype), Conv2D(64, 3, padding=padding, activation="relu", dtype=dtype),
         MaxPooling2D(dtype=dtype), Conv2D(64, 3, strides=2, padding=padding, use_bias=False, dtype=dtype),
         BatchNormalization(dtype=dtype), Conv2D(64, 2, padding=padding, activation="relu", dtype=dtype),
         GlobalAveragePooling2D(dtype=dtype)]
    )  # fmt: skip


def gradients(model: Any, images: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    inputs = images.clone().requires_grad_()
    fast.call(model, inputs, True).square().sum().backward()
    return [inputs.grad, *(weight.grad for weight in model.parameters() if weight.grad is not None)]  # type: ignore[list-item]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_model_learns_as_exactly_as_by_torch(frozen: bool, padding: str, taken: list[Any]) -> None:
    torch.manual_seed(1)
    model, exactly, images = network(padding, "float32"), network(padding, "float64"), torch.randn(16, 19, 18, 32)
    exactly.set_weights(model.get_weights())
    model.layers[3].trainable = exactly.layers[3].trainable = not frozen
    found = gradients(model, images)
    assert taken == [(64, 64, 2, 2), (64, 64, 3, 3)]  # the first is narrow, and sees few places
    with fast.plain_paths():
        torchs = gradients(model, images)
        exact = gradients(exactly, images.double())
    assert len(taken) == 2
    for mine, theirs, true in zip(found, torchs, exact, strict=True):
        scale = true.abs().max()
        assert mine.dtype == torch.float32
        assert (mine - true).abs().max() / scale < 2e-6 + 2 * (theirs - true).abs().max() / scale


def test_where_torchs_own_way_is_taken(taken: list[Any]) -> None:
    images, kernel = torch.randn(2, 64, 8, 8), torch.randn(64, 64, 3, 3, requires_grad=True)
    asked: list[tuple[Any, Any, tuple[int, ...], int]] = [
        (images.double(), kernel.double(), (1, 1), 1),
        (images.requires_grad_(), kernel.detach(), (1, 1), 1),
        (images, kernel[:, :16], (1, 1), 4),
        (images, kernel, (2, 2), 1),
        (images, kernel[:, :, :1, :1], (1, 1), 1),
        (images.bfloat16(), kernel.bfloat16(), (1, 1), 1),
    ]
    for seen, weights, dilation, groups in asked:
        module.conv2d(seen, weights, None, (1, 1), (0, 0), dilation, groups).float().sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        module.conv2d(images, kernel, None, (1, 1), (0, 0), (1, 1), 1).float().sum().backward()
    assert not taken
    module.conv2d(images, kernel, None, (1, 1), (0, 0), (1, 1), 1).sum().backward()
    assert taken == [(64, 64, 3, 3)]


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of kernels that were convolved by Winograd's way, which narrow ones are here, too."""
    shapes: list[tuple[int, ...]] = []
    plain = winograd.conv2d

    def noted(images: Any, kernel: Any, *given: Any) -> torch.Tensor:
        shapes.append(tuple(kernel.shape))
        return plain(images, kernel, *given)

    monkeypatch.setattr(winograd, "conv2d", noted)
    for name, value in {"_CHANNELS": 64, "_FEWER_CHANNELS": 32, "_LARGE": 300}.items():
        monkeypatch.setattr(winograd, name, value)
    return shapes


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_wide_kernels_by_tiles(padding: str, tiled: list[Any]) -> None:
    torch.manual_seed(1)

    def network(dtype: str) -> Any:
        return Sequential(
            [Input((20, 22, 32), dtype=dtype), Conv2D(64, 3, padding=padding, activation="relu", dtype=dtype),
             Conv2D(64, 3, padding=padding, use_bias=False, dtype=dtype), Conv2D(16, 3, padding=padding, dtype=dtype)]
        )  # fmt: skip

    model, images = network("float32"), torch.randn(16, 20, 22, 32)
    wide = [(64, 32, 3, 3), (64, 64, 3, 3)]
    predicted = model.predict(images.numpy(), batch_size=16, verbose=0)
    assert tiled == wide
    found = gradients(model, images)
    backward = [(64, 64, 3, 3), (32, 64, 3, 3)]
    assert tiled == [*wide, *wide, *backward]
    with fast.plain_paths():
        exactly = network("float64")
        exactly.set_weights(model.get_weights())
        answers = exactly.predict(images.double().numpy(), verbose=0)
        exact = gradients(exactly, images.double())
    for mine, true in zip(found, exact, strict=True):
        assert (mine - true).abs().max() < 2e-5 * true.abs().max()
    assert np.abs(predicted - answers).max() < 2e-5 * np.abs(answers).max()
    assert len(tiled) == 6
    for layer in model.layers[:2]:
        layer.trainable = False
    fast.call(model, images, True).square().sum().backward()
    assert tiled[6:] == wide  # nothing before them learns


def test_gradients_of_gradients_and_torchs_transforms_work() -> None:
    torch.manual_seed(0)
    images, kernel = torch.randn(2, 64, 5, 5, requires_grad=True), torch.randn(64, 64, 3, 3, requires_grad=True)

    def energy(kernel: Any, function: Any = module.conv2d) -> torch.Tensor:
        outputs: torch.Tensor = function(images, kernel, None, (1, 1), (0, 0), (1, 1), 1)
        return outputs.tanh().sum()

    def penalty(function: Any) -> torch.Tensor:
        (slope,) = torch.autograd.grad(energy(kernel, function), kernel, create_graph=True)
        (found,) = torch.autograd.grad(slope.square().sum(), images)
        return found

    torch.testing.assert_close(penalty(module.conv2d), penalty(F.conv2d), rtol=1e-3, atol=1e-3)
    wanted = torch.autograd.grad(energy(kernel, F.conv2d), kernel)[0]
    torch.testing.assert_close(torch.func.grad(energy)(kernel.detach()), wanted, rtol=1e-4, atol=1e-3)
    each = torch.func.vmap(torch.func.grad(energy))(torch.stack([kernel.detach(), -kernel.detach()]))
    torch.testing.assert_close(each, torch.stack([wanted, wanted]), rtol=1e-4, atol=1e-3)
