"""Batch statistics over steps, batches of one, frozen layers, several devices; the spectral norm; adapt()."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch

from scene_lightning import layers
from scene_lightning.errors import InputError, UnsupportedError


def test_moving_statistics_follow_keras_over_steps() -> None:
    ours, theirs = layers.BatchNormalization(), keras.layers.BatchNormalization()
    generator = torch.Generator().manual_seed(2)
    for count in (8, 3, 2, 1):
        batch = torch.randn(count, 5, generator=generator) * 3 + 1
        np.testing.assert_allclose(
            ours(batch, training=True).detach(), theirs(batch, training=True).detach(), atol=2e-5
        )
    for mine, reference in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-6)


def test_a_batch_of_one_after_flatten_gives_beta_and_a_gradient() -> None:
    layer = layers.BatchNormalization()
    inputs = torch.ones(1, 4, requires_grad=True)
    outputs = layer(inputs, training=True)
    assert outputs.tolist() == [[0.0] * 4]
    outputs.sum().backward()
    assert inputs.grad is not None and inputs.grad.abs().max() == 0
    assert layer.beta.grad.tolist() == [1.0] * 4


def test_frozen_means_inference() -> None:
    layer = layers.BatchNormalization()
    layer(torch.zeros(2, 3))
    layer.trainable = False
    batch = torch.randn(8, 3) * 4
    before = [w.copy() for w in layer.get_weights()]
    torch.testing.assert_close(layer(batch, training=True), layer(batch, training=False))
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_2s_list_axis_and_refusals() -> None:
    assert layers.BatchNormalization(axis=[3]).axis == 3
    with pytest.raises(InputError, match="one integer"):
        layers.BatchNormalization(axis=[1, 2])
    with pytest.raises(UnsupportedError, match="GroupNormalization"):
        layers.BatchNormalization(renorm=True)


def test_synchronized_equals_the_whole_batch(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """One process of one: the path over devices gives what the fused kernel gives."""
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        plain, synced = layers.BatchNormalization(), layers.BatchNormalization(synchronized=True)
        a = torch.randn(4, 3, 3, 2, requires_grad=True)
        b = a.detach().clone().requires_grad_()
        first, second = plain(a, training=True), synced(b, training=True)
        torch.testing.assert_close(first, second)
        probe = torch.randn(first.shape)
        (first * probe).sum().backward()
        (second * probe).sum().backward()
        torch.testing.assert_close(a.grad, b.grad)
        for mine, other in zip(plain.get_weights(), synced.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6)
    finally:
        torch.distributed.destroy_process_group()


def test_layer_normalization_over_inner_axes() -> None:
    """Keras on torch fails here; the formula is the truth."""
    inputs = torch.randn(2, 7, 6, 4)
    mean, variance = inputs.mean((1, 2), keepdim=True), inputs.var((1, 2), correction=0, keepdim=True)
    found = layers.LayerNormalization(axis=[1, 2])(inputs)
    torch.testing.assert_close(found, (inputs - mean) / (variance + 1e-3).sqrt())


def test_spectral_normalization_follows_keras() -> None:
    ours = layers.SpectralNormalization(layers.Dense(4), power_iterations=2)
    theirs = keras.layers.SpectralNormalization(keras.layers.Dense(4), power_iterations=2)
    inputs = torch.randn(3, 5)
    ours(inputs), theirs(inputs)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    for name in ("kernel", "bias"):
        getattr(ours.layer, name).data.copy_(getattr(theirs.layer, name).value)
    ours.vector_u.copy_(theirs.vector_u.value)
    for _ in range(2):
        np.testing.assert_allclose(
            ours(inputs, training=True).detach(), theirs(inputs, training=True).detach(), atol=1e-5
        )
    again = layers.SpectralNormalization.from_config(ours.get_config())
    assert again.layer.units == 4
    assert keras.layers.SpectralNormalization.from_config(ours.get_config()).layer.units == 4


def test_adapt_learns_from_arrays_and_loaders() -> None:
    data = np.random.default_rng(0).normal(3, 2, (10, 4, 4, 3)).astype("float32")
    theirs = keras.layers.Normalization()
    theirs.adapt(data)
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    parts.adapt([(data[:3], None), (data[3:4], None), (data[4:], None)])
    for layer in (whole, parts):
        np.testing.assert_allclose(layer.mean, np.asarray(theirs.mean).ravel(), rtol=1e-5)
        np.testing.assert_allclose(layer(data), theirs(data).detach(), atol=1e-4)
    with pytest.raises(InputError, match="given"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(data)
    with pytest.raises(InputError, match="no data"):
        layers.Normalization().adapt([])


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("sides", [(3, 1), (1, 3), (1, 1)])
def test_gradients_over_one_row_or_column_do_not_depend_on_the_layout(sides: tuple[int, int], trainable: bool) -> None:
    """With one pixel a side memory is contiguous both ways, and torch's backward pass mixed the two up."""
    height, width = sides
    stray = 16 * height * width  # the stride of a side of one pixel, which means nothing
    rows, columns = (1 if height > 1 else stray), (1 if width > 1 else stray)
    channels_first = (16 * height * width, rows, columns, height * width)
    channels_last = (16 * height * width, 16 * rows, 16 * columns, 1)
    layer = layers.BatchNormalization(trainable=trainable)
    layer.build((7, *sides, 16))
    values, given = torch.randn(7, *sides, 16), torch.randn(7, *sides, 16)
    gradients = []
    for layout in (None, channels_first):
        inputs = values.clone() if layout is None else torch.empty_strided(values.shape, layout).copy_(values)
        outputs = layer(inputs.requires_grad_(), training=True)
        of_outputs = torch.empty_strided(given.shape, channels_last).copy_(given)
        gradients.append(torch.autograd.grad(outputs, [inputs, *layer.trainable_variables], of_outputs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.cuda
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_gradients_on_a_gpu_are_those_of_the_processor(options: dict[str, bool], training: bool) -> None:
    x, found = torch.randn(4, 5, 5, 3), []
    for device in ("cpu", "cuda"):
        layer = layers.BatchNormalization(**options)
        layer.build((None, 5, 5, 3))
        inputs = x.to(device, copy=True).requires_grad_()
        outputs = layer.to(device)(inputs, training=training)
        (outputs * torch.linspace(-1, 1, x.numel(), device=device).view(x.shape)).sum().backward()
        weights = [weight.grad.cpu() for weight in layer.trainable_weights]
        found.append([outputs.detach().cpu(), inputs.grad.cpu(), *weights, layer.moving_variance.cpu()])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-4)
