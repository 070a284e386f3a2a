"""The gradient of a depthwise kernel by matrix products: torch's own in float64 is the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from scene_lightning import fast
from scene_lightning.fast import depthwise
from scene_lightning.layers import BatchNormalization, DepthwiseConv2D, GlobalAveragePooling2D, Input
from scene_lightning.models import Sequential

CASES = [  # kernel, strides, padding, image
    ((5, 5), (1, 1), (2, 2), (9, 11)),
    ((5, 5), (2, 2), (2, 2), (9, 12)),
    ((7, 5), (1, 3), (0, 1), (8, 9)),
    ((2, 4), (3, 1), (1, 0), (7, 6)),
    ((1, 5), (1, 1), (0, 2), (5, 5)),
    ((5, 5), (1, 1), (0, 0), (5, 5)),
]


@pytest.mark.parametrize(("kernel", "strides", "padding", "image"), CASES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_kernels_gradient_is_torchs(kernel: Any, strides: Any, padding: Any, image: Any, layout: Any) -> None:
    torch.manual_seed(0)
    images = torch.randn(3, 6, *image, dtype=torch.float64).contiguous(memory_format=layout)
    weights = torch.randn(6, 1, *kernel, dtype=torch.float64, requires_grad=True)
    outputs = F.conv2d(images, weights, None, strides, padding, 1, 6)
    given = torch.randn_like(outputs)
    (wanted,) = torch.autograd.grad(outputs, weights, given)
    found = depthwise.kernel_gradient(images, given, kernel, strides, padding)
    torch.testing.assert_close(found, wanted.float(), rtol=1e-5, atol=1e-5)


def gradients(model: Sequential, images: torch.Tensor, mixed: bool) -> list[torch.Tensor]:
    model.zero_grad()
    inputs = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        outputs = fast.call(model, inputs, True)
    outputs.float().square().sum().backward()
    return [inputs.grad, *(weight.grad for weight in model.parameters() if weight.grad is not None)]  # type: ignore[list-item]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_model_learns_in_bfloat16_as_near_to_float32_as_by_torch(
    frozen: bool, padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    model = Sequential(
        [Input((13, 14, 8)), DepthwiseConv2D(5, strides=2, padding=padding, use_bias=False), BatchNormalization(),
         DepthwiseConv2D(5, padding="same", activation="relu"), GlobalAveragePooling2D()]
    )  # fmt: skip
    model.layers[1].trainable = not frozen
    images = torch.randn(16, 13, 14, 8)
    taken: list[tuple[int, ...]] = []
    plain = depthwise.kernel_gradient

    def noted(*given: Any) -> torch.Tensor:
        taken.append(tuple(given[0].shape))
        return plain(*given)

    monkeypatch.setattr(depthwise, "kernel_gradient", noted)
    exact = gradients(model, images, mixed=False)
    assert not taken  # float32: torch's own
    found = gradients(model, images, mixed=True)
    assert len(taken) == 2
    with fast.plain_paths():
        torchs = gradients(model, images, mixed=True)
    assert len(taken) == 2
    assert [g.dtype for g in found] == [g.dtype for g in torchs]
    for mine, theirs, true in zip(found, torchs, exact, strict=True):
        scale = true.abs().max()
        assert (mine - true).abs().max() / scale < 0.02 + 1.5 * (theirs - true).abs().max() / scale


def test_only_the_kernels_that_learn_in_bfloat16_take_it() -> None:
    images, kernel = torch.randn(2, 4, 9, 9).bfloat16(), torch.randn(4, 1, 5, 5).bfloat16()
    assert not depthwise.worth_it(images, kernel, (1, 1), 4)
    kernel.requires_grad_()
    assert depthwise.worth_it(images, kernel, (1, 1), 4)
    assert not depthwise.worth_it(images, kernel, (2, 2), 4)
    assert not depthwise.worth_it(images.float(), kernel.float(), (1, 1), 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert depthwise.worth_it(images.float(), kernel.float(), (1, 1), 4)
        assert not depthwise.worth_it(images.double(), kernel.double(), (1, 1), 4)  # autocast leaves float64 alone
    assert not depthwise.worth_it(images, torch.randn(4, 1, 3, 3).bfloat16().requires_grad_(), (1, 1), 4)
    assert not depthwise.worth_it(images, torch.randn(8, 1, 5, 5).bfloat16().requires_grad_(), (1, 1), 4)
    with torch.no_grad():
        assert not depthwise.worth_it(images, kernel, (1, 1), 4)
