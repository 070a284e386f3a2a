"""`keras.Variable` beside the real one: what it is made of, what can be done with it, and as a weight of a layer."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning.errors import InputError

LIBRARIES = (ours, keras)
ARRAY = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], "float32")


def value_of(result: Any) -> Any:
    return result.detach().cpu().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((ARRAY,), {}),
        ((ARRAY.tolist(),), {}),
        ((2.5,), {"trainable": False}),
        ((3,), {"dtype": "int64", "trainable": False}),
        ((np.arange(3),), {"dtype": "float32"}),
        (("ones", (2, 3)), {}),
        (("zeros", (4,)), {"dtype": "float16", "trainable": False}),
    ],
)
def test_it_is_made_as_in_keras(args: Any, options: dict[str, Any]) -> None:
    mine, theirs = (library.Variable(*args, **options) for library in LIBRARIES)
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert mine.numpy().dtype == theirs.numpy().dtype and keras.backend.standardize_dtype(mine.dtype) == theirs.dtype
    assert tuple(mine.shape) == tuple(theirs.shape) and mine.ndim == theirs.ndim
    assert mine.trainable == theirs.trainable and mine.requires_grad == theirs.value.requires_grad


@pytest.mark.parametrize(
    "use",
    [
        lambda k, v: v.assign(ARRAY * 2),
        lambda k, v: v.assign_add(np.ones((2, 3), "float32")),
        lambda k, v: v.assign_sub(k.ops.ones((2, 3))),
        lambda k, v: v.assign_add(k.Variable(ARRAY)),
        lambda k, v: v.assign(v * 2 + 1),
        lambda k, v: v + 1,
        lambda k, v: 2 * v - v / 4,
        lambda k, v: v @ np.ones((3, 2), "float32"),
        lambda k, v: v * [1.0, 2.0, 3.0] + np.float32(1),
        lambda k, v: ARRAY / v,
        lambda k, v: 2 ** (v // 2 % 3),
        lambda k, v: -v,
        lambda k, v: abs(v),
        lambda k, v: v[0, 1:],
        lambda k, v: v > 0,
        lambda k, v: v == ARRAY,
        lambda k, v: k.ops.mean(v, axis=0),
        lambda k, v: k.ops.matmul(v, k.ops.transpose(v)),
        lambda k, v: k.ops.concatenate([v, v], axis=-1),
        lambda k, v: k.ops.convert_to_tensor(v),
        lambda k, v: np.array(v),
    ],
)
def test_what_is_done_with_it_gives_what_keras_gives(use: Any) -> None:
    mine, theirs = (library.Variable(ARRAY) for library in LIBRARIES)
    found, expected = use(ours, mine), use(keras, theirs)
    np.testing.assert_allclose(value_of(found), value_of(expected), rtol=1e-6)
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_names_and_refusals() -> None:
    for library in LIBRARIES:
        library.utils.clear_session()
        assert [library.Variable(1.0).name for _ in range(2)] == ["variable", "variable_1"]
        named = library.Variable(ARRAY, name="own")
        assert named.name == named.path == "own" and "own" in repr(named)
        for refused in (
            lambda k: k.Variable("ones"),
            lambda k: k.Variable(1.0, name="a/b"),
            lambda k: k.Variable(1.0, aggregation="max"),
            lambda k: k.Variable(1.0, synchronization="never"),
            lambda k: k.Variable(ARRAY).assign(np.ones(2)),
        ):
            with pytest.raises(InputError if library is ours else ValueError):
                refused(library)


def with_variables(library: Any) -> Any:
    """A layer whose weights are variables: one trained, one that counts its calls, two in a list."""

    class Scaled(library.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = library.Variable(np.array([0.5, 2.0, 1.0], "float32"), name="scale")
            self.calls = library.Variable(0.0, trainable=False, name="calls")
            self.shifts = [library.Variable("zeros", (3,)), library.Variable("ones", (3,))]

        def call(self, x: Any) -> Any:
            self.calls.assign_add(1.0)
            return x * self.scale + self.shifts[0] * self.shifts[1]

    model = library.Sequential([library.Input((3,)), Scaled()])
    model.compile(library.optimizers.SGD(0.1), "mse")
    return model


def test_a_layer_counts_it_among_its_weights_and_trains_it() -> None:
    x = np.random.default_rng(0).random((8, 3), dtype=np.float32)
    mine, theirs = (with_variables(library) for library in LIBRARIES)
    for model in (mine, theirs):
        assert len(model.trainable_weights) == 3 and len(model.non_trainable_weights) == 1
        model.layers[-1].calls.assign(0.0)
        model.fit(x, x + 1, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for name in ("scale", "calls"):
        found, expected = (getattr(model.layers[-1], name).numpy() for model in (mine, theirs))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    for found, expected in zip(mine.layers[-1].shifts, theirs.layers[-1].shifts, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)


def test_freezing_copying_and_sending_it() -> None:
    frozen = ours.Variable(ARRAY, name="own")
    frozen.trainable = False
    assert not frozen.requires_grad and not frozen.trainable
    for made in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert isinstance(made, ours.Variable) and made.name == "own" and not made.trainable
        np.testing.assert_array_equal(made.numpy(), ARRAY)
    layer = ours.layers.Layer()
    scale = ours.Variable(ARRAY)
    scale.regularizer, scale.constraint = ours.regularizers.L2(0.5), ours.constraints.NonNeg()
    layer.scale = scale
    assert float(layer.losses[0]) == pytest.approx(0.5 * (ARRAY**2).sum())
    layer.trainable = False
    assert layer.trainable_weights == [] and not layer.scale.requires_grad


def _models(library: Any) -> list[Any]:
    """Weights made in each of the ways in which a model comes by them."""
    layers = library.layers

    class Composite(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)
            self.early = library.Variable(1.0)

        def build(self, shape: Any) -> None:
            self.unnamed = self.add_weight(shape=(2,))
            self.own = self.add_weight(shape=(2,), name="own")
            self.fixed = self.add_weight(shape=(2,), name="fixed", trainable=False)
            self.dense.build(shape)
            super().build(shape)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    class Subclassed(library.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner = layers.Dense(4, name="first"), library.Sequential([layers.Dense(2)])
            self.attention = layers.MultiHeadAttention(2, 3)

        def call(self, x: Any) -> Any:
            x = self.first(x)
            return self.inner(self.attention(x, x))

    def stack() -> list[Any]:
        return [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]

    inputs, flat = library.Input((9, 9, 3)), library.Input((9,))
    functional = library.Model(inputs, layers.Dense(2)(layers.SeparableConv2D(2, 3)(inputs)), name="whole")
    nested = library.Model(inputs, layers.Dense(2, name="head")(functional(inputs)))
    deferred, subclassed = library.Sequential(stack(), name="stack"), Subclassed()
    deferred.build((None, 9, 9, 3))
    subclassed(np.zeros((2, 4, 5), "float32"))
    outer = library.Sequential([library.Input((9, 9, 3)), library.Sequential(stack()), layers.Dense(3)])
    return [
        library.Sequential([library.Input((9, 9, 3)), *stack()]), deferred, functional, nested, subclassed, outer,
        library.Model(flat, Composite()(flat)),
    ]  # fmt: skip


def test_the_weights_of_layers_have_keras_names() -> None:
    named = []
    for library in LIBRARIES:
        library.utils.clear_session()
        named.append([[(weight.name, weight.path) for weight in model.weights] for model in _models(library)])
    assert named[0] == named[1]


@pytest.mark.parametrize("change", [
    lambda model: model.double().float(), lambda model: model.to("meta"), copy.deepcopy,
    lambda model: pickle.loads(pickle.dumps(model)), ours.models.clone_model,
])  # fmt: skip
def test_names_outlast_copies_and_moves(change: Any) -> None:
    model = ours.Sequential([ours.Input((5, 5, 3)), ours.layers.Conv2D(4, 3), ours.layers.BatchNormalization()])
    model.layers[0].trainable = False
    changed = change(model)
    names = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]
    assert [weight.name for weight in changed.weights] == names
    assert len(list(changed.parameters())) == 4 and len(list(changed.buffers())) == 2
    if change is not ours.models.clone_model:
        assert [p.requires_grad for p in changed.parameters()] == [False, False, True, True]


def test_weights_are_written_read_and_penalised_as_variables() -> None:
    for library in LIBRARIES:
        layer = library.layers.Dense(3, kernel_regularizer="l2")
        layer.build((None, 2))
        layer.kernel.assign(np.ones((2, 3), "float32"))
        layer.bias.assign_add(np.ones(3))
        np.testing.assert_array_equal(layer.kernel.numpy() + layer.bias.numpy(), np.full((2, 3), 2.0))
        assert isinstance(layer.kernel, library.Variable) and layer.kernel.trainable
        penalty = sum(library.ops.sum(v * v) for v in layer.trainable_variables if "bias" not in v.name)
        assert float(penalty) == 6.0 and float(layer.losses[0]) == pytest.approx(0.06)
        with pytest.raises(ValueError):
            layer.kernel.assign(np.ones((3, 2)))
