"""M³CE and M³CE-CEc: values worked out by hand, limits that the definition demands, gradients by finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import losses
from scene_lightning.errors import InputError

OPTIONS: list[dict[str, Any]] = [
    {}, {"margin": 1.0}, {"margin": 0.0, "slope": 5.0}, {"eta": 3.0}, {"eta": 0.5, "slope": 2.0, "margin": 0.9},
    {"label_smoothing": 0.2, "margin": 1.0},
]  # fmt: skip


@pytest.mark.parametrize(
    ("p", "true", "options", "expected"),
    [
        ((0.7, 0.2, 0.1), 0, {}, 0.0),  # leads by 0.5, as asked
        ((0.6, 0.3, 0.1), 0, {}, 0.2),  # leads by 0.3
        ((0.1, 0.8, 0.1), 0, {}, 1.2),  # trails by 0.7
        ((0.1, 0.8, 0.1), 0, {"margin": 0.0}, 0.7),
        ((0.1, 0.8, 0.1), 0, {"slope": 2.0}, 1 / (1 + np.exp(-2.4))),
        ((0.5, 0.3, 0.2), 1, {"eta": 1.0}, (0.5 + 0.2) / 2 - 0.3 + 0.5),  # the mean of the others
        ((0.5, 0.3, 0.2), 1, {"eta": 2.0}, ((0.25 + 0.04) / 2) ** 0.5 - 0.3 + 0.5),
    ],
)
def test_values_by_hand(p: tuple[float, ...], true: int, options: dict[str, Any], expected: float) -> None:
    target = np.eye(3)[[true]]
    assert float(losses.m3ce(target, np.array([p]), **options)) == pytest.approx(expected, abs=1e-6)
    entropy = -np.log(p[true])
    both = losses.m3ce_crossentropy(target, np.array([p]), weight=0.5, **options)
    assert float(both) == pytest.approx(entropy + 0.5 * expected, abs=1e-6)


def test_a_satisfied_margin_gives_neither_loss_nor_gradient() -> None:
    logits = torch.tensor([[4.0, 0.0, -1.0], [-2.0, 5.0, 1.0]], requires_grad=True)
    value = losses.M3CE(margin=0.9, from_logits=True)(torch.eye(3)[[0, 1]], logits)
    value.backward()
    assert value.item() == 0.0 and logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_weight_it_is_cross_entropy(smoothing: float) -> None:
    random = np.random.default_rng(0)
    target, logits = np.eye(4)[random.integers(0, 4, 7)], random.normal(size=(7, 4))
    options: dict[str, Any] = {"from_logits": True, "label_smoothing": smoothing}
    ours = losses.M3CECrossentropy(weight=0.0, **options)(target, logits)
    assert float(ours) == float(losses.CategoricalCrossentropy(**options)(target, logits))


def test_a_large_eta_is_the_maximum_and_a_steep_slope_counts_errors() -> None:
    random = np.random.default_rng(1)
    target, p = np.eye(5)[random.integers(0, 5, 40)], random.dirichlet(np.ones(5), 40)
    limit = losses.m3ce(target, p)
    np.testing.assert_allclose(losses.m3ce(target, p, eta=400.0), limit, atol=3e-3)
    wrong = p.argmax(1) != target.argmax(1)
    np.testing.assert_allclose(losses.m3ce(target, p, margin=0.0, slope=1e6), wrong, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("function", [losses.m3ce, losses.m3ce_crossentropy])
def test_gradients_equal_finite_differences(function: Any, from_logits: bool, options: dict[str, Any]) -> None:
    random = torch.Generator().manual_seed(3)
    x = torch.randn((6, 4), generator=random, dtype=torch.float64)
    x = (x if from_logits else x.softmax(-1)).requires_grad_()
    target = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 1]]
    assert torch.autograd.gradcheck(lambda x: function(target, x, from_logits=from_logits, **options), (x,))


@pytest.mark.parametrize("eta", [None, 2.0])
def test_extreme_logits_and_many_classes_stay_finite(eta: float | None) -> None:
    logits = torch.zeros((3, 1000))
    logits[0, 0], logits[1, 1], logits[2, 5] = 1e4, -1e4, 90.0
    logits.requires_grad_()
    value = losses.M3CECrossentropy(eta=eta, from_logits=True)(torch.eye(1000)[:3], logits)
    value.backward()
    assert value.isfinite() and logits.grad is not None and logits.grad.isfinite().all()


def test_shares_of_classes_weigh_their_values() -> None:
    p = np.array([[0.5, 0.3, 0.2]])
    each = [float(losses.m3ce(np.eye(3)[[k]], p)) for k in range(3)]
    mixed = float(losses.m3ce(np.array([[0.6, 0.4, 0.0]]), p))
    assert mixed == pytest.approx(0.6 * each[0] + 0.4 * each[1], abs=1e-6)


def test_names_configs_and_training(tmp_path: Path) -> None:
    assert losses.get("m3ce") is losses.m3ce
    assert losses.get("m3ce_cec") is losses.get("m3ce_crossentropy") is losses.m3ce_crossentropy
    loss = losses.M3CECrossentropy(weight=0.5, margin=0.3, eta=2.0, slope=4.0, label_smoothing=0.1)
    back = losses.deserialize(losses.serialize(loss))
    assert type(back) is losses.M3CECrossentropy and back.get_config() == loss.get_config()
    assert type(losses.deserialize(losses.serialize(losses.M3CE()))) is losses.M3CE

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.1), loss=loss, metrics=["accuracy"])
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    y = np.eye(3)[np.digitize(x[:, 0], [-0.4, 0.4])]
    losses_seen = model.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses_seen[-1] < 0.7 * losses_seen[0]
    model.save(tmp_path / "m.keras")
    assert keras.models.load_model(tmp_path / "m.keras").loss.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"margin": 1.5}, "margin"), ({"weight": -1.0}, "weight"), ({"eta": 0.0}, "eta"), ({"slope": -2.0}, "slope")],
)
def test_impossible_arguments_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        losses.M3CECrossentropy(**options)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # that one output is always zero, said once in a process
def test_one_output_is_refused() -> None:
    with pytest.raises(InputError, match="at least two outputs"):
        losses.m3ce(np.ones((2, 1)), np.ones((2, 1)))
