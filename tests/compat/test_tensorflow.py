"""The stand-in's functions on images and tensors, beside the real Keras, NumPy, or what TensorFlow documents."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from scene_lightning import activations
from scene_lightning.compat.tensorflow import data, gfile, random
from scene_lightning.compat.tensorflow.images import boxes, chance, colour, geometry, similarity
from scene_lightning.compat.tensorflow.ops import math_ops, nn, tensor_ops
from scene_lightning.layers import Dense, Input
from scene_lightning.models import Model, Sequential, load_model

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 9, 8, 3)).astype("float32")
MATRIX = RNG.normal(size=(2, 4, 4)).astype("float32")


@pytest.mark.parametrize(
    ("size", "step", "rate", "padding"), [(3, 3, 1, "VALID"), (3, 2, 1, "SAME"), (2, 1, 2, "SAME")]
)
def test_patches_are_those_of_keras(size: int, step: int, rate: int, padding: str) -> None:
    found = geometry.extract_patches(IMAGES, [1, size, size, 1], [1, step, step, 1], [1, rate, rate, 1], padding)
    expected = keras.ops.image.extract_patches(IMAGES, size, step, rate, padding.lower())
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_colours_go_there_and_back() -> None:
    expected = keras.ops.image.rgb_to_hsv(IMAGES)
    np.testing.assert_allclose(colour.rgb_to_hsv(IMAGES), expected, atol=1e-5)
    for there, back in [("rgb_to_hsv", "hsv_to_rgb"), ("rgb_to_yuv", "yuv_to_rgb")]:
        changed = getattr(colour, there)(IMAGES)
        np.testing.assert_allclose(getattr(colour, back)(changed), IMAGES, atol=1e-5)


def test_similarity_and_edges() -> None:
    first, second = IMAGES[:1].repeat(2, 1).repeat(2, 2), IMAGES[1:].repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(similarity.ssim(first, first, 1.0), [1.0], atol=1e-5)
    np.testing.assert_allclose(similarity.ssim(first, second, 1.0), keras.ops.image.ssim(first, second), atol=1e-4)
    error = ((first - second) ** 2).mean()
    np.testing.assert_allclose(similarity.psnr(first, second, 1.0), [-10 * np.log10(error)], rtol=1e-5)
    expected = np.abs(np.diff(first, axis=1)).sum() + np.abs(np.diff(first, axis=2)).sum()
    np.testing.assert_allclose(similarity.total_variation(first), [expected], rtol=1e-5)
    np.testing.assert_allclose(
        similarity.sobel_edges(first)[:, 1:-1, 1:-1], keras.ops.image.sobel_edges(first)[:, 1:-1, 1:-1], atol=1e-5
    )
    down, right = similarity.image_gradients(first)
    np.testing.assert_allclose(down[:, :-1], np.diff(first, axis=1), atol=1e-6)
    assert float(right[:, :, -1].abs().max()) == 0


def test_the_whole_image_is_its_own_crop() -> None:
    found = boxes.crop_and_resize(IMAGES, [[0.0, 0.0, 1.0, 1.0]] * 2, [1, 0], [9, 8])
    np.testing.assert_allclose(found, IMAGES[[1, 0]], atol=1e-5)
    half = boxes.crop_and_resize(IMAGES, [[0.0, 0.0, 0.5, 1.0]], [0], [5, 8])
    np.testing.assert_allclose(half[0], IMAGES[0, :5], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("brightness", (0.3,)), ("contrast", (0.5, 1.5)), ("saturation", (0.5, 1.5)), ("hue", (0.2,)),
        ("flip_left_right", ()), ("flip_up_down", ()), ("crop", ((4, 4, 3),)), ("jpeg_quality", (20, 90)),
    ],
)  # fmt: skip
def test_stateless_chance_follows_its_seed(name: str, args: tuple[object, ...]) -> None:
    function = getattr(chance, f"stateless_random_{name}")
    before = torch.get_rng_state()
    results = [function(torch.tensor(IMAGES[0]), *args, seed=(seed, 7)) for seed in (1, 1, 2, 3, 4, 5, 6)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(function(torch.tensor(IMAGES[0]), *args, (1, 7)), results[0])
    assert any(not torch.equal(results[0], other) for other in results[2:])


def test_chance_may_stand_in_a_model() -> None:
    inputs = Input((9, 8, 3))
    changed = chance.random_saturation(chance.random_flip_left_right(inputs), 0.5, 1.5)
    found = Model(inputs, colour.adjust_hue(changed, 0.1)).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(np.sort(found.max(-1), axis=2), np.sort(IMAGES.max(-1), axis=2), atol=1e-5)  # V stays


def test_gamma_numbers_have_their_mean() -> None:
    torch.manual_seed(0)
    drawn = random.gamma([4000], [2.0, 8.0], beta=4.0)
    assert drawn.shape == (4000, 2)
    np.testing.assert_allclose(drawn.mean(0), [0.5, 2.0], rtol=0.05)
    assert torch.equal(random.stateless_gamma([3], seed=(1, 2), alpha=0.2), random.stateless_gamma([3], (1, 2), 0.2))


def test_tensors_as_tensorflow_documents() -> None:
    ops = tensor_ops
    np.testing.assert_allclose(math_ops.matrix_transpose(MATRIX), MATRIX.transpose(0, 2, 1))
    np.testing.assert_allclose(ops.band_part(MATRIX, -1, 0), np.tril(MATRIX))
    np.testing.assert_allclose(ops.band_part(MATRIX, 0, -1), np.triu(MATRIX))
    np.testing.assert_allclose(math_ops.diag_part(ops.diag([1.0, 2.0])), [1, 2])
    np.testing.assert_allclose(ops.cumprod([2.0, 3.0, 4.0], exclusive=True), [1, 2, 6])
    np.testing.assert_allclose(ops.cumprod([2.0, 3.0, 4.0], reverse=True), [24, 12, 4])
    assert ops.bincount([1, 1, 3]).tolist() == [0, 2, 0, 1]
    assert int(ops.count_nonzero([0, 3, 4])) == 2
    np.testing.assert_allclose(ops.einsum("bij,bjk->bik", MATRIX, MATRIX), MATRIX @ MATRIX, rtol=1e-4, atol=1e-5)
    expected = np.tensordot(MATRIX, MATRIX, [[0, 1], [0, 1]])
    np.testing.assert_allclose(ops.tensordot(MATRIX, MATRIX, [[0, 1], [0, 1]]), expected, rtol=1e-4, atol=1e-5)
    assert ops.tensor_scatter_nd_update([1, 1, 1], [[0], [2]], [5, 6]).tolist() == [5, 1, 6]
    assert ops.scatter_nd([[1], [1]], [5, 6], [3]).tolist() == [0, 11, 0]
    assert ops.sequence_mask([1, 3], 3, "int32").tolist() == [[1, 0, 0], [1, 1, 1]]
    blocks = ops.space_to_depth(IMAGES[:, :8], 2)
    assert blocks.shape == (2, 4, 4, 12)
    np.testing.assert_allclose(ops.depth_to_space(blocks, 2), IMAGES[:, :8])
    clipped, norm = ops.clip_by_global_norm([torch.tensor([3.0]), None, torch.tensor([4.0])], 1.0)
    assert float(norm) == 5
    np.testing.assert_allclose([clipped[0], clipped[2]], [[0.6], [0.8]], rtol=1e-6)
    assert [int(x) for x in ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0))] == [4, 6]
    assert ops.case([(False, lambda: 1), (True, lambda: 2)]) == 2
    assert ops.case([], default=lambda: 3) == ops.switch_case(1, [lambda: 0, lambda: 3]) == 3


def test_a_file_is_opened_with_an_encoding_in_tensorflows_place(tmp_path: Path) -> None:
    with gfile.GFile(str(tmp_path / "names.txt").encode(), "w", "latin-1") as file:
        file.write("é")
    assert (tmp_path / "names.txt").read_bytes() == b"\xe9"


def test_seeds_can_be_split_and_counted() -> None:
    seeds = random.split((1, 2), num=3)
    assert seeds.shape == (3, 2)
    assert torch.equal(seeds, random.split((1, 2), 3))
    counter = data.Counter(2, 3)
    assert [int(n) for n in counter.take(3)] == [2, 5, 8]
    pairs = data.Dataset.zip((data.Dataset.from_tensor_slices([7, 8]), (counter, counter)))
    assert [(int(x), int(a), int(b)) for x, (a, b) in pairs] == [(7, 2, 2), (8, 5, 5)]


ACTIVATIONS = "relu relu6 elu selu gelu silu softmax log_softmax leaky_relu sigmoid softplus softsign tanh"


@pytest.mark.parametrize("name", ACTIVATIONS.split())
def test_an_activation_of_tensorflow_is_keras_own(name: str, tmp_path: Path) -> None:
    function = getattr(nn, name)
    assert activations.get(function) is getattr(activations, name)
    model = Sequential([Input((3,)), Dense(4, activation=function)])
    assert model.layers[0].get_config()["activation"] == name
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_those_of_tf_math_are_too(name: str) -> None:
    assert activations.get(getattr(math_ops, name)) is getattr(activations, name)


def test_softmax_keeps_its_logits_for_the_loss() -> None:
    logits = torch.tensor([[1.0, 200.0, -50.0]])
    assert torch.equal(nn.softmax(logits)._keras_logits, logits)
