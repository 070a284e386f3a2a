"""What a program's own training loop uses of TensorFlow: variables, checkpoints, summaries, tf.nn's convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras as real
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.compat import tensors
from scene_lightning.compat.tensorflow import module, summary, train, train_v1
from scene_lightning.compat.tensorflow.ops import gradients, nn_convolution
from scene_lightning.errors import DataError, InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 8, 7, 3)).astype("float32")


@pytest.fixture
def patched() -> Iterator[None]:
    tensors.patch()
    yield
    tensors.restore()


class Scale(keras.layers.Layer):
    """A layer whose weights are variables, as tf.keras programs write it."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = gradients.Variable(np.ones(3, "float32"))
        self.count = gradients.Variable(0, trainable=False)
        self.shifts: list[Any] = []
        self.shifts.append(gradients.Variable(0.5))

    def call(self, x: Any) -> Any:
        return x * self.factor + self.shifts[0]


def test_variables_are_weights_of_their_layer() -> None:
    layer = Scale()
    assert [tuple(weight.shape) for weight in layer.trainable_weights] == [(3,), ()]
    assert len(layer.weights) == 3
    model = keras.Sequential([keras.layers.Input((3,)), layer])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3), "float32"), np.zeros((8, 3)), verbose=0)
    assert float(layer.factor.detach()[0]) != 1.0 and float(layer.shifts[0].detach()) != 0.5
    layer.trainable = False
    assert layer.trainable_weights == []


def test_variables_have_names_and_are_variables() -> None:
    trained, counted = gradients.Variable(1.0, name="x"), gradients.Variable(0, trainable=False, name="step")
    assert [v.name for v in (trained, counted, gradients.Variable(2.0))] == ["x:0", "step:0", "Variable:0"]
    assert all(isinstance(v, gradients.Variable) for v in (trained, counted))
    assert trained.trainable and not counted.trainable
    counted.assign_add(1, read_value=False)
    assert int(counted) == 1 and counted.dtype == torch.int32


def test_module_lists_its_variables() -> None:
    class Block(module.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.inner = gradients.Variable(1.0), [gradients.Variable(2.0), gradients.Variable(1, False)]

    assert [float(v) for v in Block().variables] == [2.0, 1.0, 1.0]
    assert len(Block().trainable_variables) == 2


def _loop(model: Any, optimizer: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        optimizer.minimize(lambda: losses.append((model(torch.ones(2, 3)) ** 2).mean()) or losses[-1],
                           model.trainable_variables)  # fmt: skip
    return [loss.item() for loss in losses]


def test_a_restored_run_goes_on_as_the_first_did(tmp_path: Path) -> None:
    step, seen = gradients.Variable(1, trainable=False), keras.metrics.Mean()
    seen.update_state([1.0, 2.0])
    model, optimizer = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]), keras.optimizers.Adam(0.1)
    checkpoint = train.Checkpoint(step=step, optimizer=optimizer, net=model, seen=seen)
    manager = train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
    assert manager.latest_checkpoint is None and checkpoint.restore(manager.latest_checkpoint).expect_partial()
    _loop(model, optimizer, 2)
    for _ in range(3):
        step.add_(1)
        manager.save()
    expected = _loop(model, optimizer, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "ckpt-2.index", "ckpt-3.index"]
    latest = train.latest_checkpoint(tmp_path)
    assert latest == manager.latest_checkpoint == train.CheckpointManager(checkpoint, tmp_path).latest_checkpoint

    fresh = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    its_optimizer, its_step = keras.optimizers.Adam(0.5), gradients.Variable(0, trainable=False)
    its_seen = keras.metrics.Mean()
    other = train.Checkpoint(step=its_step, optimizer=its_optimizer, net=fresh, seen=its_seen)
    other.restore(latest).assert_consumed()
    assert float(its_seen.result()) == 1.5
    assert int(its_step) == 4 and int(its_optimizer.iterations) == 2
    np.testing.assert_allclose(_loop(fresh, its_optimizer, 3), expected, rtol=1e-6)


class Late(keras.Model):
    """Has no weights before its first call."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_a_model_that_is_not_built_gets_its_weights_at_the_first_call(tmp_path: Path) -> None:
    first, optimizer, x = Late(), keras.optimizers.Adam(0.1), torch.ones(2, 3)
    first(x)
    _loop(first, optimizer, 2)
    path = train.Checkpoint(model=first, optimizer=optimizer).save(tmp_path / "ckpt")
    second, again = Late(), keras.optimizers.Adam(0.1)
    train.Checkpoint(model=second, optimizer=again).restore(path)
    np.testing.assert_allclose(second(x).detach(), first(x).detach())
    np.testing.assert_allclose(_loop(second, again, 2), _loop(first, optimizer, 2), rtol=1e-6)


def test_what_cannot_be_saved_or_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expecting text"):
        train.Checkpoint(text="abc").save(tmp_path / "c")
    with pytest.raises(DataError, match="does not exist"):
        train.Checkpoint().restore(str(tmp_path / "none"))
    path = train.Checkpoint(a=gradients.Variable(1.0)).save(tmp_path / "c")
    with pytest.raises(InputError, match="no value for b"):
        train.Checkpoint(b=gradients.Variable(1.0)).restore(path).assert_consumed()
    with pytest.raises(InputError, match="shape"):
        train.Checkpoint(a=gradients.Variable([1.0, 2.0])).restore(path)


def test_summaries_are_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = summary.create_file_writer(tmp_path)
    assert not summary.scalar("loss", 1.0, step=0)  # no writer in force
    with writer.as_default(step=3), summary.record_if(True):
        assert summary.scalar("loss", torch.tensor(0.5))
        summary.image("pictures", IMAGES, step=4)
        summary.histogram("weights", IMAGES)
        summary.text("words", "abc")
    with writer.as_default(), pytest.raises(InputError, match="step"):
        summary.scalar("loss", 1.0)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(3, 0.5)]
    assert [e.step for e in events.Images("pictures/1")] == [4]
    assert events.Tags()["histograms"] == ["weights"]


@pytest.mark.parametrize(("padding", "strides"), [("SAME", 2), ("VALID", [1, 2, 1, 1])])
def test_convolutions_are_those_of_keras(padding: str, strides: Any) -> None:
    kernel = RNG.normal(size=(3, 3, 3, 4)).astype("float32")
    step = strides if isinstance(strides, int) else tuple(strides[1:3])
    given = torch.tensor(IMAGES)
    expected = real.ops.conv(given, torch.tensor(kernel), step, padding.lower(), "channels_last")
    np.testing.assert_allclose(nn_convolution.conv2d(IMAGES, kernel, strides, padding), expected, atol=1e-5)
    moved = [1, 1, *strides[1:3]] if isinstance(strides, list) else strides
    first = nn_convolution.conv2d(given.permute(0, 3, 1, 2), kernel, moved, padding, "NCHW")
    np.testing.assert_allclose(first.permute(0, 2, 3, 1), expected, atol=1e-5)
    if isinstance(strides, int):
        expected = real.ops.depthwise_conv(given, torch.tensor(kernel), step, padding.lower(), "channels_last")
        found = nn_convolution.depthwise_conv2d(IMAGES, kernel, [1, 2, 2, 1], padding)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_explicit_padding_bias_and_normalisations() -> None:
    kernel = RNG.normal(size=(3, 3, 3, 4)).astype("float32")
    pairs = [[0, 0], [1, 1], [1, 1], [0, 0]]
    same = nn_convolution.conv2d(IMAGES, kernel, 1, "SAME")
    np.testing.assert_allclose(nn_convolution.conv2d(IMAGES, kernel, 1, pairs), same, atol=1e-5)
    np.testing.assert_allclose(
        nn_convolution.bias_add(IMAGES, np.arange(3.0, dtype="float32"))[..., 2], IMAGES[..., 2] + 2
    )
    mean, variance = IMAGES.mean((0, 1, 2)), IMAGES.var((0, 1, 2))
    expected = (IMAGES - mean) / np.sqrt(variance + 1e-3) * 2 + 1
    found = nn_convolution.batch_normalization(IMAGES, mean, variance, np.float32(1), np.float32(2), 1e-3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    padded = np.pad(IMAGES**2, [(0, 0)] * 3 + [(1, 1)])
    sums = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    np.testing.assert_allclose(
        nn_convolution.lrn(IMAGES, 1, 2.0, 0.1, 0.75), IMAGES / (2 + 0.1 * sums) ** 0.75, rtol=1e-5
    )


def test_value_is_called_by_tensorflow_and_read_by_keras_3(patched: None) -> None:
    weight: Any = gradients.Variable([1.0, 2.0])
    (weight.value * 3).sum().backward()
    np.testing.assert_allclose(weight.value.grad, [3.0, 3.0])
    assert weight.value() is weight and type(weight.value + 1) is torch.Tensor
    weight.value.grad = None
    assert weight.grad is None


def test_gradients_have_the_structure_of_their_sources() -> None:
    a, b, c = (gradients.Variable(float(n)) for n in (1, 2, 3))
    with gradients.GradientTape(persistent=True) as tape:
        loss = a * b
    assert tape.gradient(loss, [[a], [b, c], []]) == [[2.0], [1.0, None], []]
    assert tape.gradient(loss, {"a": a, "c": (c,)}) == {"a": 2.0, "c": (None,)}
    assert tape.gradient(gradients.stop_gradient(loss), [[a], []]) == [[None], []]


def test_a_watched_image_can_be_moved_along_its_gradient() -> None:
    """As programs that draw what a filter sees do, step after step."""
    image = torch.ones(3)
    for expected in (3.0, 9.0):
        with gradients.GradientTape() as tape:
            tape.watch(image)
            loss = (image**2).sum()
        image += tape.gradient(loss, image)
        assert image.tolist() == [expected] * 3


def test_shapes_have_tensorflows_methods(patched: None) -> None:
    x: Any = torch.zeros(2, 3, 4)
    assert x.shape.as_list() == [2, 3, 4] and x.shape[1:].as_list() == [3, 4] and x.shape.rank == 3
    assert x.shape == (2, 3, 4) and x.shape.num_elements() == x.shape.numel() == 24 and x.shape.is_fully_defined()
    assert torch.nn.Parameter(x).reshape(x.shape[::-1]).shape == torch.Size((4, 3, 2))
    assert keras.Input((3,)).shape.num_elements() is None


def test_optimizers_of_tensorflow_1() -> None:
    assert train_v1.AdamOptimizer(0.01).get_config()["epsilon"] == 1e-8
    assert train_v1.RMSPropOptimizer(0.01, decay=0.8).get_config()["rho"] == 0.8
    assert train_v1.MomentumOptimizer(0.1, 0.9).get_config()["momentum"] == 0.9
