"""Weights by name: `exclude_from_weight_decay`, Muon's `exclude_layers`, beside Keras, wherever the steps are taken."""

from __future__ import annotations

from typing import Any

import keras as real
import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

import scene_lightning as keras
from scene_lightning.compat.tensorflow_addons import optimizers as addons

X = np.random.default_rng(0).normal(size=(6, 5, 5, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")


def layers_of(library: Any) -> list[Any]:
    of = library.layers
    return [of.Conv2D(4, 3, name="first"), of.BatchNormalization(), of.Flatten(), of.Dense(2, name="head")]


def sequential(library: Any) -> Any:
    return library.Sequential([library.Input((5, 5, 3)), *layers_of(library)])


def deferred(library: Any) -> Any:
    return library.Sequential(layers_of(library))


def functional(library: Any) -> Any:
    outputs = inputs = library.Input((5, 5, 3))
    for layer in layers_of(library):
        outputs = layer(outputs)
    return library.Model(inputs, outputs)


def subclassed(library: Any) -> Any:
    class Own(library.Model):
        def __init__(self) -> None:
            super().__init__()
            self.stack = layers_of(library)

        def call(self, x: Any, training: bool = False) -> Any:  # Keras tells only those of the phase that take it
            for layer in self.stack:
                x = layer(x)
            return x

    return Own()


KINDS = [sequential, deferred, functional, subclassed]


def in_fit(library: Any, model: Any, optimizer: Any) -> None:
    model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)


def in_a_loop(library: Any, model: Any, optimizer: Any) -> None:
    for _ in range(2):
        loss = keras.losses.MeanSquaredError()(torch.tensor(Y), model(torch.tensor(X), training=True))
        weights = model.trainable_weights
        optimizer.apply_gradients(zip(torch.autograd.grad(loss, weights), weights, strict=True), name="step")


def in_lightning(library: Any, model: Any, optimizer: Any) -> None:
    model.compile(optimizer, "mse")
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=6)
    trainer = L.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                        enable_model_summary=False, accelerator="cpu")  # fmt: skip
    trainer.fit(model, data)


def trained(library: Any, kind: Any, train: Any, optimizer: Any, exclude: Any, values: Any = None) -> tuple[Any, Any]:
    """(weights before, after)"""
    library.utils.set_random_seed(0)
    model = kind(library)
    model.build((None, 5, 5, 3)) if kind is deferred else model(np.zeros((1, 5, 5, 3), "float32"))
    if values is not None:
        model.set_weights(values)
    before = model.get_weights()
    exclude(model, optimizer)
    train(library, model, optimizer)
    return before, model.get_weights()


def by(*names: str) -> Any:
    return lambda model, optimizer: optimizer.exclude_from_weight_decay(var_names=list(names))


def as_objects(model: Any, optimizer: Any) -> None:
    optimizer.exclude_from_weight_decay(var_list=[model.trainable_variables[i] for i in (1, 4)])


@pytest.mark.parametrize("train", [in_fit, in_a_loop, in_lightning])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exclude", [by("bias"), by("bias", "gamma|beta"), by("^kernel$"), as_objects])
def test_excluded_weights_do_not_decay(exclude: Any, kind: Any, train: Any) -> None:
    before, mine = trained(keras, kind, train, keras.optimizers.SGD(0.05, weight_decay=2.0), exclude)
    _, theirs = trained(real, kind, in_fit, real.optimizers.SGD(0.05, weight_decay=2.0), exclude, before)
    _, decayed = trained(keras, kind, train, keras.optimizers.SGD(0.05, weight_decay=2.0), by("nothing"))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert any(not np.allclose(a, b, rtol=1e-3) for a, b in zip(mine, decayed, strict=True))


@pytest.mark.parametrize("train", [in_fit, in_a_loop, in_lightning])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["AdamW", "Adam", "Lion", "Muon", "Lamb"])
def test_layers_are_found_by_name_as_in_keras_2(name: str, kind: Any, train: Any) -> None:
    """A step of rate zero but for what decays: the rate is in both, so the gradients are clipped to nothing."""
    options = {"adam_weight_decay": 0.5} if name == "Muon" else {}
    optimizer = getattr(keras.optimizers, name)(0.1, weight_decay=0.5, clipvalue=1e-30, **options)
    before, after = trained(keras, kind, train, optimizer, by("head/kernel:0", "first"))
    kept = np.abs(after[0] - before[0]).max(), np.abs(after[6] - before[6]).max()
    decays = np.abs(after[2] - before[2]).max()  # gamma
    if name in ("Adam", "AdamW"):  # the others' steps know no size of the gradient
        assert max(kept) < 1e-6
        assert decays == pytest.approx(1 - 0.95**2, rel=1e-3)


def test_a_torch_module_inside_a_model_is_found_by_its_attributes() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(75, 2))

        def call(self, x: Any) -> Any:
            return self.net(x)

    for names, decays in ((["net/1/weight"], False), (["elsewhere"], True)):
        model, optimizer = Own(), keras.optimizers.SGD(0.1, weight_decay=0.5, clipvalue=1e-30)
        model(torch.tensor(X))
        before = model.net[1].weight.detach().clone()
        optimizer.exclude_from_weight_decay(var_names=names)
        in_fit(keras, model, optimizer)
        assert torch.allclose(model.net[1].weight, before) != decays


def words(library: Any) -> Any:
    layers = library.layers
    return library.Sequential([
        library.Input((4,)), layers.Embedding(7, 3), layers.Flatten(), layers.Dense(5, name="middle"),
        layers.Dense(2, name="last_one"),
    ])  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"exclude_layers": ["last"]}, {"exclude_embeddings": False}])
def test_muon_leaves_out_what_keras_leaves_out(options: dict[str, Any]) -> None:
    x = np.random.default_rng(2).integers(0, 7, (8, 4))
    y = np.random.default_rng(3).normal(size=(8, 2)).astype("float32")
    found: list[Any] = []
    for library in (keras, real):
        model = words(library)
        if found:
            model.set_weights(found[0])
        else:
            found.append(model.get_weights())
        model.compile(library.optimizers.Muon(0.01, **options), "mse")
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for mine, theirs in zip(found[1], found[2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: addons.AdamW(0.1, 0.01, **k),
        lambda **k: addons.SGDW(0.1, 0.01, **k),
        lambda **k: addons.extend_with_decoupled_weight_decay(keras.optimizers.SGD)(0.1, 0.01, **k),
    ],
)
def test_addons_exclusions(make: Any) -> None:
    optimizer = make(exclude_from_weight_decay=["bias", "gamma"], clipvalue=1e-30)
    before, after = trained(keras, functional, in_fit, optimizer, lambda *_: None)
    ratios = [float(np.abs(a).sum() / max(np.abs(b).sum(), 1e-9)) for a, b in zip(after, before, strict=True)]
    assert ratios[0] == pytest.approx(0.81, rel=1e-4) == ratios[6]  # kernels: twice a tenth
    assert ratios[2] == pytest.approx(1.0, rel=1e-4)  # gamma
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    one, other = (nn.Parameter(torch.ones(2)) for _ in range(2))
    make().apply_gradients([(torch.zeros(2), one), (torch.zeros(2), other)], decay_var_list=[one])
    assert one.tolist() == pytest.approx([0.9, 0.9]) and other.tolist() == [1.0, 1.0]


def test_addons_lamb_scales_the_decay_with_the_step() -> None:
    """The formula of its page, by hand, for a first step: m̂ = g, v̂ = g²."""
    weight, free = keras.Variable(np.array([3.0, 4.0])), keras.Variable(np.array([3.0, 4.0]), name="bias")
    gradient = torch.tensor([1.0, -2.0])
    optimizer = addons.LAMB(0.1, weight_decay=0.5, exclude_from_weight_decay=["bias"])
    optimizer.apply_gradients([(gradient, weight), (gradient, free)])
    move = np.sign([1.0, -2.0]) + 0.5 * np.array([3.0, 4.0])
    np.testing.assert_allclose(weight.numpy(), [3.0, 4.0] - 0.1 * move * 5.0 / np.linalg.norm(move), rtol=1e-4)
    np.testing.assert_allclose(free.numpy(), [3.0 - 0.1, 4.0 + 0.1], rtol=1e-4)
    assert addons.LAMB.from_config(optimizer.get_config()).get_config() == optimizer.get_config()
