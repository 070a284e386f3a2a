"""Every exported loss beside the real Keras: values, gradients, reductions, weights, configs; and the kept logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import scene_lightning as ours
from scene_lightning import activations, losses
from scene_lightning._objectives import crossentropy
from scene_lightning.errors import InputError

N, C = 6, 4


def one_hot(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(C, dtype="float32")[rng.integers(0, C, N)], rng.random((N, C)).astype("float32") + 0.02


def sparse(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, C, N), rng.random((N, C)).astype("float32") + 0.02


def multi_label(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 2, (N, C)).astype("float32"), rng.random((N, C)).astype("float32")


def numbers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(N, C)).astype("float32"), rng.normal(size=(N, C)).astype("float32")


def positive(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.random((N, C)).astype("float32") + 0.1, rng.random((N, C)).astype("float32") + 0.1


def embeddings(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(N, 8)).astype("float32")
    return np.array([0, 0, 1, 1, 2, 2]), x / np.linalg.norm(x, axis=1, keepdims=True)


def sequences(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(1, C, (N, 3))
    labels[0, 2] = 0
    return labels, rng.normal(size=(N, 8, C)).astype("float32")


Maker = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
CASES: list[tuple[str, dict[str, Any], Maker]] = [
    ("MeanSquaredError", {}, numbers),
    ("MeanAbsoluteError", {"reduction": "sum"}, numbers),
    ("MeanAbsolutePercentageError", {}, positive),
    ("MeanSquaredLogarithmicError", {}, positive),
    ("CosineSimilarity", {}, numbers),
    ("CosineSimilarity", {"axis": 0}, numbers),
    ("Huber", {"delta": 0.5}, numbers),
    ("LogCosh", {}, numbers),
    ("Hinge", {}, multi_label),
    ("SquaredHinge", {}, numbers),
    ("CategoricalHinge", {}, one_hot),
    ("KLDivergence", {}, positive),
    ("Poisson", {}, positive),
    ("BinaryCrossentropy", {}, multi_label),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, multi_label),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5}, multi_label),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, multi_label),
    ("CategoricalCrossentropy", {}, one_hot),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, one_hot),
    ("CategoricalCrossentropy", {"from_logits": True}, one_hot),
    ("CategoricalFocalCrossentropy", {"alpha": 0.5}, one_hot),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, one_hot),
    ("SparseCategoricalCrossentropy", {}, sparse),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, sparse),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, sparse),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.3}, sparse),
    ("Dice", {}, multi_label),
    ("Dice", {"axis": (1,)}, multi_label),
    ("Tversky", {"alpha": 0.3, "beta": 0.7}, multi_label),
    ("Circle", {"gamma": 8.0}, embeddings),
    ("CTC", {}, sequences),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)]


def value_and_gradient(loss: Any, true: np.ndarray, pred: np.ndarray, weight: Any) -> tuple[np.ndarray, np.ndarray]:
    x = torch.tensor(pred, requires_grad=True)
    value = loss(torch.tensor(true), x, sample_weight=weight)
    value.sum().backward()
    assert x.grad is not None
    return value.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options", "make"), CASES, ids=IDS)
def test_values_and_gradients_equal_keras(name: str, options: dict[str, Any], make: Maker, weighted: bool) -> None:
    true, pred = make(np.random.default_rng(0))
    one_a_sample = options.get("axis", -1) in (-1, (1,)) and (name not in ("Dice", "Tversky") or "axis" in options)
    weight = np.random.default_rng(1).random(N).astype("float32") if weighted and one_a_sample else None
    theirs = value_and_gradient(getattr(keras.losses, name)(**options), true, pred, weight)
    ours = value_and_gradient(getattr(losses, name)(**options), true, pred, weight)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options", "make"), CASES, ids=IDS)
def test_config_goes_both_ways(name: str, options: dict[str, Any], make: Maker) -> None:
    ours = getattr(losses, name)(**options)
    # Keras' own table lacks this one, so that it cannot read what it writes
    theirs = (
        getattr(keras.losses, name).from_config(ours.get_config())
        if name == "CategoricalGeneralizedCrossEntropy"
        else keras.losses.deserialize(losses.serialize(ours))
    )
    true, pred = make(np.random.default_rng(2))
    np.testing.assert_allclose(ours(true, pred).numpy(), theirs(true, pred).numpy(), rtol=1e-5)
    back = losses.deserialize(keras.losses.serialize(getattr(keras.losses, name)()))
    assert type(back) is type(ours)


def test_every_exported_loss_is_compared() -> None:
    exported = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)}
    not_keras = {"M3CE", "M3CECrossentropy"}  # see test_margin.py
    assert exported - {"Loss", "LossFunctionWrapper", "Reduction"} - not_keras == {name for name, _, _ in CASES}
    assert not {n for n in dir(keras.losses) if not n.startswith("_")} - set(dir(losses))


FUNCTIONS = {
    **dict.fromkeys(("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"), one_hot),
    **dict.fromkeys(("binary_crossentropy", "binary_focal_crossentropy", "hinge", "squared_hinge"), multi_label),
    **dict.fromkeys(("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "cosine_similarity"), numbers),
    **dict.fromkeys(("kl_divergence", "poisson"), positive),
    **dict.fromkeys(("mean_squared_logarithmic_error", "mean_absolute_percentage_error"), positive),
    **dict.fromkeys(("dice", "tversky"), multi_label),
    "sparse_categorical_crossentropy": sparse,
    "circle": embeddings,
    "ctc": sequences,
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_equal_keras(name: str) -> None:
    true, pred = FUNCTIONS[name](np.random.default_rng(3))
    theirs = getattr(keras.losses, name)(torch.tensor(true), torch.tensor(pred)).numpy()
    np.testing.assert_allclose(getattr(losses, name)(true, pred).numpy(), theirs, rtol=1e-5)
    assert losses.get(name) is getattr(losses, name)


def test_old_names_are_the_same_functions() -> None:
    assert losses.mse is losses.MSE is losses.mean_squared_error is losses.get("mse")
    assert losses.kullback_leibler_divergence is losses.kl_divergence
    assert losses.get("BinaryCrossentropy").name == "binary_crossentropy"


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None])
@settings(max_examples=8, deadline=None)
@given(weight=st.lists(st.floats(0, 4, width=32), min_size=N, max_size=N))
def test_reductions_equal_keras(reduction: str | None, weight: list[float]) -> None:
    true, pred = numbers(np.random.default_rng(4))
    weights = np.asarray(weight, "float32")
    theirs = keras.losses.MeanSquaredError(reduction=reduction)(true, pred, sample_weight=weights)
    ours = losses.MeanSquaredError(reduction=reduction)(true, pred, sample_weight=weights)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("true", "pred", "smoothing", "expected"),
    [
        ([1.0, 0, 0], [0.0, 0.5, 0.5], 0.0, 16.118095),
        ([1.0, 0, 0], [1.0, 0.0, 0.0], 0.0, 1.192093e-07),
        ([1.0, 0, 0], [2.0, 1.0, 1.0], 0.0, 0.6931472),
        ([1.0, 0, 0], [0.7, 0.2, 0.1], 0.1, 0.46329743),
    ],
)
def test_clip_form_golden_values(true: Any, pred: Any, smoothing: float, expected: float) -> None:
    value = losses.categorical_crossentropy([true], [pred], label_smoothing=smoothing)
    assert float(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_after_softmax_the_kept_logits_are_used(name: str) -> None:
    logits = torch.tensor([[50.0, 0.0]], requires_grad=True)
    true = torch.tensor([[0.0, 1.0]]) if name.startswith("cat") else torch.tensor([1])
    value = losses.LossFunctionWrapper(losses.get(name))(true, activations.softmax(logits))
    value.backward()
    assert float(value.detach()) == 50.0
    assert torch.allclose(logits.grad, torch.tensor([[1.0, -1.0]]))  # type: ignore[arg-type]


def test_after_sigmoid_the_kept_logits_are_used() -> None:
    logits = torch.tensor([[40.0]], requires_grad=True)
    value = losses.BinaryCrossentropy()(torch.zeros(1, 1), activations.sigmoid(logits))
    value.backward()
    assert float(value.detach()) == 40.0
    assert float(logits.grad) == 1.0  # type: ignore[arg-type]


def test_from_logits_on_a_softmax_warns_and_uses_its_logits() -> None:
    crossentropy._warned.clear()
    logits = torch.randn(3, 4)
    true = torch.tensor([0, 1, 2])
    with pytest.warns(UserWarning, match="from_logits"):
        value = losses.SparseCategoricalCrossentropy(from_logits=True)(true, activations.softmax(logits))
    torch.testing.assert_close(value, torch.nn.functional.cross_entropy(logits, true))


def test_half_precision_outputs_give_float32_losses() -> None:
    logits = torch.randn(8, 4)
    true = torch.randint(0, 4, (8,))
    with torch.autocast("cpu", torch.bfloat16):
        value = losses.SparseCategoricalCrossentropy()(true, activations.softmax(logits.bfloat16()))
        assert losses.BinaryCrossentropy()(torch.zeros(2, 1), torch.rand(2, 1)).dtype == torch.float32
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(torch.nn.functional.cross_entropy(logits.bfloat16().float(), true)))


def test_ignored_classes_do_not_count_and_give_finite_gradients() -> None:
    pred = torch.full((3, 2), 0.5, requires_grad=True)
    value = losses.SparseCategoricalCrossentropy(ignore_class=-1)(torch.tensor([0, -1, -1]), pred)
    value.backward()
    assert float(value.detach()) == pytest.approx(np.log(2.0))
    assert torch.isfinite(pred.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_one_label_beside_several_outputs_is_held_against_each(kind: str, shape: tuple[int, ...]) -> None:
    """tf.keras 2 broadcast it, and Keras 3 raises: its truth is the loss with the labels repeated."""
    classes, pred = sparse(np.random.default_rng(0))
    true = classes % 2  # Keras on torch takes none above 1
    crossentropy._warned.clear()
    with pytest.warns(UserWarning, match="sparse_categorical_crossentropy") as caught:
        for label_smoothing in (0.0, 0.1):
            value = getattr(losses, kind)(label_smoothing=label_smoothing)(true.reshape(shape), pred)
            repeated = np.repeat(true[:, None], C, axis=1).astype("float32")
            truth = getattr(keras.losses, kind)(label_smoothing=label_smoothing)(repeated, pred)
            assert float(value) == pytest.approx(float(truth), rel=1e-5)
    assert len(caught) == 1, "one warning a program"
    with pytest.raises(ValueError):
        getattr(keras.losses, kind)()(true.reshape(shape), pred)
    if kind == "BinaryCrossentropy":  # linear in the label
        p, t = pred.clip(1e-7, 1 - 1e-7), classes[:, None]
        expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        assert float(losses.BinaryCrossentropy()(classes.reshape(shape), pred)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_such_a_model_trains_and_its_accuracy_is_the_sparse_one(shape: tuple[int, ...]) -> None:
    x, y = np.random.default_rng(1).random((N, 3), dtype=np.float32), np.arange(N) % C
    model = ours.Sequential([ours.layers.Dense(C, activation="softmax")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y.reshape(shape), verbose=0)
    right = (model.predict(x, verbose=0).argmax(-1) == y).mean()
    assert model.evaluate(x, y.reshape(shape), verbose=0)[1] == pytest.approx(right)


@pytest.mark.parametrize(
    ("loss", "true", "pred", "cure"),
    [
        ("categorical_crossentropy", [0, 1], np.ones((2, 3)), "to_categorical"),
        ("categorical_crossentropy", [[0], [1]], np.ones((2, 3)), "sparse_categorical_crossentropy"),
        ("categorical_crossentropy", np.ones((2, 5)), np.ones((2, 3)), "units"),
        ("sparse_categorical_crossentropy", np.ones((2, 3)), np.ones((2, 3)), "categorical_crossentropy"),
        ("sparse_categorical_crossentropy", [0, 3], np.ones((2, 3)), "label 3"),
        ("sparse_categorical_crossentropy", [0, -1], np.ones((2, 3)), "label -1"),
        ("binary_crossentropy", np.ones((2, 2)), np.ones((2, 3)), "sparse_categorical_crossentropy"),
        ("binary_crossentropy", np.ones((2, 6)), np.ones((2, 1)), "one unit"),
        ("ctc", [0], np.ones((2, 1)), "logits"),
    ],
)
def test_wrong_shapes_are_named_with_the_cure(loss: str, true: Any, pred: Any, cure: str) -> None:
    with pytest.raises(InputError, match=cure):
        losses.get_for(loss, torch.as_tensor(true), torch.as_tensor(pred))(true, pred)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [((4, 1), (4, 1), "binary"), ((4,), (4, 3), "sparse_categorical"), ((4, 3), (4, 3), "categorical")],
)
def test_crossentropy_is_chosen_by_the_shapes(true: Any, pred: Any, expected: str) -> None:
    loss = losses.get_for("crossentropy", torch.zeros(true), torch.zeros(pred))
    assert isinstance(loss, losses.LossFunctionWrapper)
    assert loss.fn.__name__ == f"{expected}_crossentropy"


def test_users_losses_work() -> None:
    class Squares(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return (y_true - y_pred).square().mean(-1)

    true, pred = numbers(np.random.default_rng(6))
    assert float(Squares()(true, pred)) == pytest.approx(float(np.mean((true - pred) ** 2)), rel=1e-6)
    assert Squares().name.startswith("squares")
    assert losses.get_for(lambda t, p: (t - p).abs(), torch.zeros(2, 2), torch.ones(2, 2)) is not None
    assert losses.get_for(None, torch.zeros(1), torch.zeros(1)) is None


def test_unknown_names_and_reductions_are_refused() -> None:
    with pytest.raises(InputError, match="categorical_crossentropy"):
        losses.get("categorical_crossentrpy")
    with pytest.raises(InputError, match="reduction"):
        losses.MeanSquaredError(reduction="x")
    with pytest.raises(InputError, match="q"):
        losses.CategoricalGeneralizedCrossEntropy(q=2.0)
    with pytest.raises(InputError, match="axis"):
        losses.categorical_crossentropy([[1.0]], [[1.0]], axis=True)
