"""TensorFlow Addons' names, against the formulas and examples of its pages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, f1_score

import scene_lightning as keras
from scene_lightning.compat.import_map import place_of
from scene_lightning.compat.tensorflow_addons import callbacks, image, layers, losses, metrics, optimizers

RNG = np.random.default_rng(0)


def _steps(optimizer: keras.optimizers.Optimizer, count: int, start: float = 1.0) -> list[float]:
    weight = torch.nn.Parameter(torch.tensor([start]))
    seen = []
    for _ in range(count):
        optimizer.apply([2 * weight.detach()], [weight])
        seen.append(weight.item())
    return seen


def test_places() -> None:
    providers = place_of("tensorflow_addons.optimizers").providers
    assert providers == ("scene_lightning.compat.tensorflow_addons.optimizers",)
    assert "metrics" in place_of("tensorflow_addons").children


def test_weight_decay_is_not_multiplied_by_the_rate() -> None:
    assert _steps(optimizers.SGDW(0.1, learning_rate=0.01), 1) == pytest.approx([0.9 - 0.02])
    plain = _steps(keras.optimizers.Adam(0.01), 1)[0]
    assert _steps(optimizers.AdamW(0.1, 0.01), 1) == pytest.approx([plain - 0.1])
    extended = optimizers.extend_with_decoupled_weight_decay(keras.optimizers.SGD)
    assert _steps(extended(0.1, 0.01), 1) == pytest.approx([0.88])


def test_rectified_adam_is_torchs() -> None:  # which has the same formula, but for where epsilon stands
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    reference = torch.optim.RAdam([weight], lr=0.1, eps=1e-7)
    expected = []
    for _ in range(12):
        weight.grad = 2 * weight.detach()
        reference.step()
        expected.append(weight.item())
    np.testing.assert_allclose(_steps(optimizers.RectifiedAdam(0.1), 12), expected, rtol=1e-4)


def test_lookahead_goes_back_half_way() -> None:
    plain = _steps(keras.optimizers.SGD(0.1), 2)
    ahead = _steps(optimizers.Lookahead(keras.optimizers.SGD(0.1), sync_period=2), 2)
    assert ahead == pytest.approx([plain[0], (plain[1] + 1) / 2])


def test_cyclical_rates() -> None:
    rate = optimizers.TriangularCyclicalLearningRate(0.1, 0.5, 2)
    np.testing.assert_allclose([float(rate(step)) for step in range(5)], [0.1, 0.3, 0.5, 0.3, 0.1], rtol=1e-6)
    halved = optimizers.Triangular2CyclicalLearningRate(0.1, 0.5, 1)
    np.testing.assert_allclose([float(halved(step)) for step in range(4)], [0.1, 0.5, 0.1, 0.3], rtol=1e-6)
    shrinking = optimizers.ExponentialCyclicalLearningRate(0.1, 0.5, 2, gamma=0.5)
    again = type(shrinking).from_config(shrinking.get_config())
    assert float(again(2)) == pytest.approx(0.1 + 0.4 * 0.25)


def test_losses() -> None:  # the numbers of Addons' pages
    focal = losses.SigmoidFocalCrossEntropy()(
        torch.tensor([[1.0], [1.0], [0.0]]), torch.tensor([[0.97], [0.91], [0.03]])
    )
    np.testing.assert_allclose(focal, [6.8532745e-06, 1.9097870e-04, 2.0559824e-05], rtol=1e-3)
    contrastive = losses.contrastive_loss([0.0, 0.0, 1.0, 1.0], [1.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(contrastive, [0.0, 0.25, 0.25, 0.0])


def test_triplets_with_the_nearest_farther_negative() -> None:
    points, labels, margin = RNG.normal(size=(7, 3)).astype("float32"), np.array([0, 0, 1, 1, 1, 2, 0]), 0.7
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    found = []
    for anchor in range(7):
        others = distance[anchor][labels != labels[anchor]]
        for positive in np.flatnonzero((labels == labels[anchor]) & (np.arange(7) != anchor)):
            farther = others[others > distance[anchor, positive]]
            negative = farther.min() if len(farther) else others.max()
            found.append(max(margin + distance[anchor, positive] - negative, 0))
    loss = losses.TripletSemiHardLoss(margin)(torch.tensor(labels), torch.tensor(points))
    np.testing.assert_allclose(float(loss), np.mean(found), rtol=1e-5)


def test_metrics_are_scikit_learns() -> None:
    true, predicted = RNG.integers(0, 4, 50), RNG.integers(0, 4, 50)
    kappa = metrics.CohenKappa(4, weightage="quadratic", sparse_labels=True)
    kappa.update_state(true[:20], np.eye(4)[predicted[:20]])
    kappa.update_state(true[20:], np.eye(4)[predicted[20:]])
    np.testing.assert_allclose(
        float(kappa.result()), cohen_kappa_score(true, predicted, weights="quadratic"), rtol=1e-5
    )
    score = metrics.F1Score(num_classes=4, average="macro")
    score.update_state(np.eye(4)[true], np.eye(4)[predicted])
    np.testing.assert_allclose(float(score.result()), f1_score(true, predicted, average="macro"), rtol=1e-5)


def test_layers() -> None:
    x = torch.randn(2, 4, 4, 3)
    made = layers.InstanceNormalization()(x)
    np.testing.assert_allclose(made.mean((1, 2)).detach(), np.zeros((2, 3)), atol=1e-5)
    np.testing.assert_allclose(layers.StochasticDepth(0.25)([x, x]), x * 1.25, rtol=1e-6)
    assert set(layers.StochasticDepth(0.5)([x, x], training=True).div(x).round().unique().tolist()) <= {1.0, 2.0}


def test_images() -> None:
    picture = np.zeros((5, 5, 1), "uint8")
    picture[0, 2] = 7
    turned = image.rotate(picture, np.pi / 2)
    assert turned.dtype == torch.uint8 and int(turned[2, 0, 0]) == 7 and int(turned.sum()) == 7  # counter-clockwise
    assert int(image.translate(picture, [1, 2])[2, 3, 0]) == 7
    assert float(image.cutout(np.ones((1, 6, 6, 1), "float32"), 2, (3, 3)).sum()) == 32
    assert float(image.random_cutout(np.ones((2, 8, 8, 1), "float32"), (2, 2)).sum()) < 128
    blurred = image.gaussian_filter2d(np.ones((6, 6, 3), "float32"))
    np.testing.assert_allclose(blurred, np.ones((6, 6, 3)), rtol=1e-5)


def test_time_stopping() -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((4, 2)), np.ones(4), epochs=5, verbose=0, callbacks=[callbacks.TimeStopping(0)])
    assert len(history.epoch) == 1
