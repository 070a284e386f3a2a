"""Kernels have Keras' shapes and lie in memory as torch's convolutions want them, whatever is done with a model."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import scene_lightning as keras
from scene_lightning import layers


def network() -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(5, 3),
            layers.BatchNormalization(),
            layers.SeparableConv2D(4, 3),
            layers.DepthwiseConv2D(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    return model


X = np.random.default_rng(0).normal(size=(20, 8, 8, 3)).astype("float32")
Y = np.zeros((20, 2), "float32")


def copies(model: keras.Sequential, work: object) -> list[list[int]]:
    """The shapes of kernels that were copied while `work` was done."""
    shapes = [list(weight.shape) for weight in model.weights if weight.ndim == 4]
    shapes += [[shape[3], shape[2], *shape[:2]] for shape in shapes] + [[4, 1, 2, 2], [5, 1, 3, 3]]
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        work()  # type: ignore[operator]
    return [
        event.input_shapes[0]
        for event in seen.events()
        if event.name == "aten::copy_" and event.input_shapes[0] in shapes
    ]


@pytest.mark.parametrize("how", ["new", "loaded", "copied", "set", "trained"])
def test_no_call_copies_a_kernel(tmp_path: Path, how: str) -> None:
    model = network()
    if how == "loaded":
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
    elif how == "copied":
        model = copy.deepcopy(model)
    elif how == "set":
        model.set_weights([np.asfortranarray(weight) for weight in model.get_weights()])
    elif how == "trained":
        model.fit(X, Y, verbose=0)
    model(X)
    assert copies(model, lambda: model(X)) == []
    assert copies(model, lambda: model.predict_on_batch(X)) == []


def test_arrays_are_rows_first_and_go_through_a_file(tmp_path: Path) -> None:
    model = network()
    assert all(array.flags.c_contiguous for array in model.get_weights())
    model.save_weights(tmp_path / "model.weights.h5")
    other = network()
    other.load_weights(tmp_path / "model.weights.h5")
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(one, two)


def test_weights_become_a_vector_and_come_back() -> None:
    model = network()
    before = model.get_weights()
    vector = torch.nn.utils.parameters_to_vector(model.parameters())
    assert np.array_equal(vector.detach().numpy()[: before[0].size], before[0].ravel())
    torch.nn.utils.vector_to_parameters(vector * 2, model.parameters())
    assert np.array_equal(model.get_weights()[0], before[0] * 2)
    model.predict(X, verbose=0)
    with pytest.raises(RuntimeError, match="invalid"):
        model.weights[0].view(7)


def test_lbfgs_takes_its_steps_in_a_loop_of_ones_own() -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def loss() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=False)
        value = torch.square(model(torch.tensor(X))).mean()
        value.backward()
        return value

    first = loss().item()
    optimizer.step(loss)
    assert loss().item() < first


def test_a_state_of_before_is_laid_out_for_torchs_fused_steps() -> None:
    models = [network(), network()]
    weights = models[0].get_weights()
    for model in models:
        model.set_weights(weights)
        model.compile(functools.partial(torch.optim.Adam, lr=0.01, fused=True), "mse")
        model.fit(X, Y, shuffle=False, verbose=0)
    inner = models[1].optimizer.torch_optimizer(list(models[1].parameters()))
    state = copy.deepcopy(inner.state_dict())
    for slots in state["state"].values():
        slots.update({name: value.contiguous() for name, value in slots.items()})
    inner.load_state_dict(state)
    for model in models:
        model.train_on_batch(X, Y)
    for one, two in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)
