"""The gradient of convolutions' kernels by matrix products: torch's own in float64 is the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from scene_lightning import fast
from scene_lightning.fast import kernel_gradient as module
from scene_lightning.layers import BatchNormalization, Conv2D, GlobalAveragePooling2D, Input, MaxPooling2D
from scene_lightning.models import Sequential

CASES = [  # kernel, strides, padding, image
    ((3, 3), (1, 1), (0, 0), (9, 11)),
    ((3, 3), (1, 1), (1, 1), (9, 12)),
    ((3, 3), (2, 2), (1, 1), (9, 12)),
    ((3, 2), (1, 3), (0, 1), (8, 9)),
    ((1, 5), (3, 1), (0, 2), (7, 6)),
    ((3, 3), (1, 1), (0, 0), (3, 3)),
]


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


@pytest.mark.parametrize(("kernel", "strides", "padding", "image"), CASES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("most", [1, 10_000, 2**25])
def test_the_kernels_gradient_is_torchs(
    kernel: Any, strides: Any, padding: Any, image: Any, layout: Any, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", most)  # an image at a time, some, all
    torch.manual_seed(0)
    images = torch.randn(5, 6, *image, dtype=torch.float64).contiguous(memory_format=layout)
    weights = torch.randn(4, 6, *kernel, dtype=torch.float64, requires_grad=True)
    outputs = F.conv2d(images, weights, None, strides, padding)
    given = torch.randn_like(outputs)
    (wanted,) = torch.autograd.grad(outputs, weights, given)
    found = module.kernel_gradient(images, tuple(weights.shape), given, strides, padding)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


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
        (images, kernel.detach(), (1, 1), 1),
        (images, kernel[:, :16], (1, 1), 4),
        (images, kernel, (2, 2), 1),
        (images, kernel[:, :, :1, :1], (1, 1), 1),
        (images.bfloat16(), kernel.bfloat16(), (1, 1), 1),
    ]
    for seen, weights, dilation, groups in asked:
        assert not module.worth_it(seen, weights, (1, 1), (0, 0), dilation, groups)
    with torch.autocast("cpu", torch.bfloat16):
        assert not module.worth_it(images, kernel, (1, 1), (0, 0), (1, 1), 1)
    with torch.no_grad():
        assert not module.worth_it(images, kernel, (1, 1), (0, 0), (1, 1), 1)
    assert module.worth_it(images, kernel, (1, 1), (0, 0), (1, 1), 1) and not taken


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
