"""The attention layers and EinsumDense beside the real Keras: numbers, gradients, masks, shapes, configs, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scene_lightning as ours
from scene_lightning.errors import InputError
from tests.layers.attention_strategies import ATTENTION, CALLS

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 5, 6)).astype("float32")
VALUE = RNG.normal(size=(2, 4, 6)).astype("float32")
KEY = RNG.normal(size=(2, 4, 6)).astype("float32")
GRID = RNG.normal(size=(2, 3, 4, 6)).astype("float32")
MASK = RNG.random((2, 5, 4)) > 0.3
MASK[..., 0] = True


def agree(name: str, config: Any, call: Any, inputs: list[np.ndarray]) -> None:
    """Outputs and gradients of inputs and weights, from the same weights; configs both ways."""
    theirs, mine = getattr(keras.layers, name)(**config), getattr(ours.layers, name)(**config)
    a, b = ([torch.tensor(x, requires_grad=True) for x in inputs] for _ in range(2))
    call(theirs, b), call(mine, a)
    values = [RNG.normal(size=w.shape).astype("float32") for w in theirs.get_weights()]
    theirs.set_weights(values)
    mine.set_weights(values)
    expected, found = call(theirs, b), call(mine, a)
    for x, y in zip(listed(found), listed(expected), strict=True):
        np.testing.assert_allclose(x.detach(), y.detach(), rtol=1e-4, atol=1e-5)
    weights = mine.trainable_weights
    gradients = torch.autograd.grad(listed(found)[0].square().sum(), [*a, *weights], allow_unused=True)
    reference = [v.value for v in theirs.trainable_variables]
    references = torch.autograd.grad(listed(expected)[0].square().sum(), [*b, *reference], allow_unused=True)
    largest = max(float(y.abs().max()) for y in references if y is not None)
    for x, y in zip(gradients, references, strict=True):
        if y is not None:
            np.testing.assert_allclose(x / largest, y / largest, rtol=0, atol=3e-5)
    again = type(theirs).from_config(mine.get_config())
    here = type(mine).from_config(theirs.get_config()).get_config()
    ours_config = {key: value for key, value in mine.get_config().items() if key != "name"}
    assert rounded({key: here[key] for key in here if key not in ("dtype", "name")}) == rounded(ours_config)
    call(again, b)
    again.set_weights(values)
    np.testing.assert_allclose(listed(call(again, b))[0].detach(), listed(found)[0].detach(), rtol=1e-4, atol=1e-5)


def rounded(value: Any) -> Any:
    """A config whose numbers are float32's, as Keras writes those of a regularizer."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(np.float32(value)) if isinstance(value, float) else value


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]


def separately(**kwargs: Any) -> Any:
    return lambda layer, tensors: layer(*tensors, **kwargs)


def together(**kwargs: Any) -> Any:
    return lambda layer, tensors: layer(tensors, **kwargs)


@pytest.mark.parametrize(
    ("config", "call", "inputs"),
    [
        ({}, separately(), [QUERY, VALUE]),
        ({}, separately(), [QUERY, VALUE, KEY]),
        ({"value_dim": 5, "use_bias": False}, separately(return_attention_scores=True), [QUERY, VALUE, KEY]),
        ({"output_shape": 7}, separately(attention_mask=MASK), [QUERY, VALUE]),
        ({"output_shape": (2, 3)}, separately(attention_mask=MASK, return_attention_scores=True), [QUERY, VALUE]),
        ({"kernel_regularizer": "l2"}, separately(use_causal_mask=True), [QUERY, QUERY]),
        ({"sliding_window": 2}, separately(return_attention_scores=True), [QUERY, QUERY]),
        ({"sliding_window": 1}, separately(return_attention_scores=True), [QUERY, KEY]),  # the last query sees nothing
        ({"use_gate": True}, separately(), [QUERY, VALUE]),
        ({"dropout": 0.5}, separately(), [QUERY, VALUE]),
        ({}, separately(), [GRID, GRID]),
        ({"attention_axes": 2}, separately(return_attention_scores=True), [GRID, GRID]),
        ({"attention_axes": (-2, 1)}, separately(), [GRID, GRID]),
    ],
)
def test_multi_head_attention(config: Any, call: Any, inputs: Any) -> None:
    agree("MultiHeadAttention", {"num_heads": 3, "key_dim": 4, **config}, call, inputs)


@pytest.mark.parametrize(
    ("config", "call"),
    [
        ({}, together()),
        ({"use_scale": True}, together(return_attention_scores=True)),
        ({"use_scale": True, "score_mode": "concat"}, together(use_causal_mask=True)),
        ({}, together(mask=[torch.tensor(MASK[:, :, 0]), torch.tensor(MASK[:, 0])])),
    ],
)
def test_attention(config: Any, call: Any) -> None:
    agree("Attention", config, call, [QUERY, VALUE, KEY])


@pytest.mark.parametrize("name", sorted(ATTENTION))
@given(data=st.data())
def test_any_call(name: str, data: Any) -> None:
    """Masks of steps, causal ones, and the scores as outputs, of any configuration."""
    config, shapes = data.draw(ATTENTION[name])
    options, seed = data.draw(CALLS), data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    if name != "MultiHeadAttention" and data.draw(st.booleans()):
        options["mask"] = [torch.tensor(rng.random(shape[:2]) > 0.4) for shape in shapes[:2]]
    if len(shapes[0]) > 3:
        options.pop("use_causal_mask", None)  # which knows one axis of steps
    call = (separately if name == "MultiHeadAttention" else together)(**options)
    agree(name, config, call, [rng.normal(size=shape).astype("float32") for shape in shapes])


@pytest.mark.parametrize("config", [{}, {"use_scale": False}])
def test_additive_attention(config: Any) -> None:
    agree("AdditiveAttention", config, together(return_attention_scores=True), [QUERY, VALUE])


@pytest.mark.parametrize(
    ("config", "inputs"),
    [
        ({"equation": "abc,cd->abd", "output_shape": (None, 7), "bias_axes": "d"}, QUERY),
        ({"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y", "activation": "relu"}, QUERY),
        ({"equation": "ab...,bc->ac...", "output_shape": (3,), "bias_axes": "c"}, QUERY),
        ({"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, QUERY),
        ({"equation": "abcd,cde->abe", "output_shape": (None, 5)}, GRID),
    ],
)
def test_einsum_dense(config: Any, inputs: Any) -> None:
    agree("EinsumDense", config, lambda layer, tensors: layer(*tensors), [inputs])
    shape = (None, *inputs.shape[1:])
    made = ours.layers.EinsumDense(**config)
    theirs = keras.layers.EinsumDense(**config)
    theirs.build(shape)
    for found, expected in zip(made.compute_output_shape(shape), theirs.compute_output_shape(shape), strict=True):
        assert expected in (None, found)  # Keras leaves unknown what the equation takes from the input


def vision_transformer(library: Any) -> Any:
    """The parts of https://keras.io/examples/vision/image_classification_with_vision_transformer, small."""
    layers = library.layers
    inputs = library.Input((8, 8, 3))
    patches = layers.Reshape((4, 8))(layers.Conv2D(8, 4, 4)(inputs))
    normalized = layers.LayerNormalization(epsilon=1e-6)(patches)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.1)(normalized, normalized)
    joined = layers.Add()([attended, patches])
    pooled = layers.Attention()([joined, joined])
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(pooled))
    return library.Model(inputs, outputs)


@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
def test_a_vision_transformer_goes_both_ways(tmp_path: Path, suffix: str) -> None:
    theirs, mine = vision_transformer(keras), vision_transformer(ours)
    images = RNG.random((2, 8, 8, 3)).astype("float32")
    assert [tuple(w.shape) for w in mine.weights] == [tuple(w.shape) for w in theirs.weights]
    there, here = tmp_path / f"there.{suffix}", tmp_path / f"here.{suffix}"
    if suffix == "keras":
        theirs.save(there)
        loaded = ours.models.load_model(there)
        mine.save(here)
        back = keras.models.load_model(here)
    else:
        theirs.save_weights(there)
        (loaded := vision_transformer(ours)).load_weights(there)
        mine.save_weights(here)
        (back := vision_transformer(keras)).load_weights(here)
    np.testing.assert_allclose(loaded.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=1e-5)
    np.testing.assert_allclose(back.predict(images, verbose=0), mine.predict(images, verbose=0), atol=1e-5)


def test_dropout_of_the_weights_is_active_in_training_only() -> None:
    layer = ours.layers.MultiHeadAttention(2, 4, dropout=0.5, seed=1)
    query = torch.tensor(QUERY)
    calm = [layer(query, query) for _ in range(2)]
    assert torch.equal(*calm)
    assert not torch.allclose(layer(query, query, training=True), calm[0])
    assert layer(query=query, value=query, key=query).shape == calm[0].shape


def test_wrong_calls_are_named() -> None:
    with pytest.raises(InputError, match="query, value"):
        ours.layers.Attention()(torch.tensor(QUERY))
    with pytest.raises(InputError, match="score_mode"):
        ours.layers.Attention(score_mode="cosine")
    with pytest.raises(InputError, match="einsum"):
        ours.layers.EinsumDense("abc", 3)(torch.tensor(QUERY))
    with pytest.raises(InputError, match="leaves open"):
        ours.layers.EinsumDense("abc,bd->acd", (None, 1), bias_axes="cd")(torch.tensor(QUERY))


def test_scores_are_outputs_of_a_functional_model() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    found = []
    for library in (ours, keras):
        inputs = library.Input((5, 4))
        outputs, scores = library.layers.Attention()([inputs, inputs], return_attention_scores=True)
        assert tuple(outputs.shape) == (None, 5, 4) and tuple(scores.shape) == (None, 5, 5)
        found.append(library.Model(inputs, [outputs, scores]).predict(x, verbose=0))
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
