"""A training loop of one's own and `fit` give the same weights: every optimizer, every layer that has weights.

In `fit` torch lays each gradient out as its weight lies; in a loop it has the strides that the backward pass left.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import scene_lightning as keras
from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import is_shape
from tests.layers.cases import CASES as LAYERS
from tests.optimizers.test_optimizers import CASES as OPTIMIZERS

MORE: dict[str, list[Any]] = {
    "EinsumDense": [({"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d"}, (2, 5, 4))],
    "MultiHeadAttention": [({"num_heads": 2, "key_dim": 3}, [(2, 5, 4), (2, 5, 4)])],
    "SpectralNormalization": [({}, (2, 7, 6, 4))],
}
STEPS = SAMPLES = 3


def has_weights(name: str, config: dict[str, Any], shapes: Any) -> bool:
    layer = getattr(keras.layers, name)(**config)
    layer(torch.zeros(shapes) if is_shape(shapes) else [torch.zeros(shape) for shape in shapes])
    return bool(layer.trainable_weights)


WEIGHTED = [
    (name, index)
    for name, cases in LAYERS.items()
    for index, case in enumerate(cases)
    if has_weights(name, *case)
] + [(name, 0) for name in MORE]  # fmt: skip
EACH_OPTIMIZER_ON = [("Conv2D", 0), ("Conv2D", 4), ("DepthwiseConv2D", 1), ("SeparableConv2D", 0), ("Dense", 0)]


def network(name: str, index: int) -> tuple[Any, Any, torch.Tensor]:
    """A model around the layer, inputs (NHWC views of NCHW memory, as torch's loaders give them) and targets."""
    keras.utils.set_random_seed(1)
    config, shapes = {**LAYERS, **MORE}[name][index]
    one = is_shape(shapes)
    inputs = [keras.Input(shape[1:]) for shape in ([shapes] if one else shapes)]
    inner = {"layer": keras.layers.Conv2D(3, 2)} if name == "SpectralNormalization" else {}
    layer = getattr(keras.layers, name)(**inner, **config)
    outputs = layer(*inputs) if name == "MultiHeadAttention" else layer(inputs[0] if one else inputs)
    model = keras.Model(inputs, outputs)
    whole = name == "Embedding"
    x = [torch.randint(0, 4, (SAMPLES, *i.shape[1:])) if whole else view(i.shape[1:]) for i in inputs]
    return model, x[0] if one else x, torch.randn(SAMPLES, *outputs.shape[1:])


def view(shape: tuple[int, ...]) -> torch.Tensor:
    """Inputs whose channels stand last in the shape and first in memory."""
    return torch.randn(SAMPLES, shape[-1], *shape[:-1]).movedim(1, -1)


def loss_of(model: Any, x: Any, y: torch.Tensor) -> torch.Tensor:
    return keras.losses.MeanSquaredError()(y, model(x, training=True)) + sum(model.losses)


def in_a_loop(model: Any, optimizer: Any, x: Any, y: torch.Tensor) -> None:
    for _ in range(STEPS):
        weights = model.trainable_weights
        gradients = torch.autograd.grad(loss_of(model, x, y), weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


def in_fit(model: Any, optimizer: Any, x: Any, y: torch.Tensor) -> None:
    model.compile(optimizer, "mse")
    model.fit(x, y, batch_size=SAMPLES, epochs=STEPS, shuffle=False, verbose=0)


def compare(name: str, index: int, optimizer: str, options: dict[str, Any]) -> None:
    found = []
    for train in (in_a_loop, in_fit):
        model, x, y = network(name, index)
        before = model.get_weights()
        made = getattr(keras.optimizers, optimizer)(**options)
        train(model, made, x, y)
        if train is in_a_loop:
            made.finalize_variable_values(model.trainable_weights)
        found.append(model.get_weights())
        assert any((a != b).any() for a, b in zip(before, found[-1], strict=True)), "nothing was trained"
    for loop, fit in zip(*found, strict=True):
        np.testing.assert_allclose(loop, fit, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer", [*(pytest.param(name, marks=pytest.mark.soak) for name in ("Adam", "SGD")), "AdamW"]
)
@pytest.mark.parametrize(("name", "index"), WEIGHTED)
def test_each_layer(name: str, index: int, optimizer: str) -> None:
    compare(name, index, optimizer, {"learning_rate": 0.01, **({"momentum": 0.9} if optimizer == "SGD" else {})})


@pytest.mark.parametrize(
    ("name", "index"),
    [pytest.param(*case, marks=pytest.mark.soak) for case in EACH_OPTIMIZER_ON[1:-1]] + [EACH_OPTIMIZER_ON[0]]
    + [EACH_OPTIMIZER_ON[-1]],
)  # fmt: skip
@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS)])
def test_each_optimizer(optimizer: str, options: dict[str, Any], name: str, index: int) -> None:
    compare(name, index, optimizer, options)


class OwnStep(keras.Model):
    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        loss = loss_of(self, x, y)
        weights = self.trainable_weights
        self.optimizer.apply(torch.autograd.grad(loss, weights), weights)
        return {"loss": loss}


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "Muon"])
def test_a_train_step_of_ones_own(optimizer: str) -> None:
    found = []
    for own in (True, False):
        model, x, y = network("Conv2D", 0)
        if own:
            model = OwnStep(model.inputs, model.outputs)
        in_fit(model, getattr(keras.optimizers, optimizer)(0.01), x, y)
        found.append(model.get_weights())
    for mine, plain in zip(*found, strict=True):
        np.testing.assert_allclose(mine, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fused", [True, False])
def test_torchs_own_optimizer(fused: bool) -> None:
    found = []
    for train in (in_a_loop, in_fit):
        model, x, y = network("Conv2D", 0)
        make = functools.partial(torch.optim.AdamW, lr=0.01, fused=fused)
        if train is in_a_loop:
            model.compile(make, "mse")
            train(model, model.optimizer, x, y)
        else:
            train(model, make, x, y)
        found.append(model.get_weights())
    for loop, fit in zip(*found, strict=True):
        np.testing.assert_allclose(loop, fit, rtol=1e-5, atol=1e-6)


def laid_out(values: torch.Tensor, how: str) -> torch.Tensor:
    """The same values, otherwise in memory."""
    if how == "turned":
        return values.movedim(-1, 0).contiguous().movedim(0, -1)
    if how == "every other":
        return torch.stack([values, torch.full_like(values, 7.0)], -1)[..., 0]
    return values[..., :1].expand(values.shape) if how == "one for all" else values


@pytest.mark.parametrize("of_weight", ["as made", "turned", "every other"])
@pytest.mark.parametrize("of_gradient", ["turned", "every other", "one for all"])
@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS)])
def test_each_layout(optimizer: str, options: dict[str, Any], of_gradient: str, of_weight: str) -> None:
    """Weights and gradients lie in memory as they may: the values after the steps are those of plain tensors."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((3, 3, 2, 4), (4, 6), (5,), (1, 1, 2, 3))]
    plain = [nn.Parameter(values.clone()) for values in start]
    moved = [nn.Parameter(laid_out(values, of_weight).clone(memory_format=torch.preserve_format)) for values in start]
    if of_weight == "every other":
        moved = [nn.Parameter(laid_out(values, of_weight)) for values in start]
    first, second = (getattr(keras.optimizers, optimizer)(**options) for _ in range(2))
    for _ in range(4):
        gradients = [laid_out(torch.randn(w.shape, generator=generator), of_gradient) for w in start]
        first.apply([gradient.contiguous() for gradient in gradients], plain)
        second.apply(gradients, moved)
    for a, b in zip(plain, moved, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "Muon"])
def test_weights_and_slots_laid_out_anew_between_steps(optimizer: str) -> None:
    generator = torch.Generator().manual_seed(0)
    start, gradients = (torch.randn(4, 3, 5, 5, generator=generator) for _ in range(2))
    plain, moved = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    first, second = (getattr(keras.optimizers, optimizer)(0.01) for _ in range(2))
    for step in range(4):
        first.apply([gradients], [plain])
        second.apply([gradients], [moved])
        if step == 0:
            moved.data = moved.data.to(memory_format=torch.channels_last)
        if step == 1:
            second.state[moved]["velocity"] = laid_out(second.state[moved]["velocity"].clone(), "turned")
    torch.testing.assert_close(plain, moved, rtol=1e-5, atol=1e-6)


def test_gradients_of_torchs_sparse_embedding() -> None:
    found = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = nn.Embedding(6, 3, sparse=sparse)
        optimizer = keras.optimizers.Adam(0.1)
        driver = optimizer.torch_optimizer(table.parameters())
        for _ in range(3):
            driver.zero_grad()
            table(torch.tensor([1, 4, 1])).square().sum().backward()
            driver.step()
        found.append(table.weight.detach())
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_gradients_of_another_shape(optimizer: str) -> None:
    """One that broadcasts is spread, as in Keras; any other is refused before anything moves."""
    spread, full = nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(3, 4))
    row = torch.tensor([1.0, -2.0, 3.0, 0.5])
    getattr(keras.optimizers, optimizer)(0.1).apply([row], [spread])
    getattr(keras.optimizers, optimizer)(0.1).apply([row.repeat(3, 1)], [full])
    torch.testing.assert_close(spread, full)
    for wrong in (torch.ones(4, 3), torch.ones(2, 3, 4), torch.ones(5)):
        with pytest.raises(InputError, match=r"\(3, 4\)"):
            getattr(keras.optimizers, optimizer)(0.1).apply([wrong], [spread])
    torch.testing.assert_close(spread, full)


def test_what_get_weights_gave_is_not_changed_by_later_steps() -> None:
    weight, optimizer = nn.Parameter(torch.ones(3)), keras.optimizers.Adam(0.1)
    optimizer.apply([torch.ones(3)], [weight])
    held = optimizer.get_weights()
    before = [array.copy() for array in held]
    optimizer.apply([torch.ones(3)], [weight])
    for array, expected in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, expected)
