"""Every exported metric beside the real Keras: the same batches in, the same values and the same config out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scene_lightning import metrics
from scene_lightning.errors import InputError

RNG = np.random.default_rng(7)
N, C = 12, 5


def _probabilities(rng: np.random.Generator) -> np.ndarray:
    p = rng.random((N, C)).astype("float32") + 0.05
    return p / p.sum(-1, keepdims=True)


def one_hot(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(C, dtype="float32")[rng.integers(0, C, N)], _probabilities(rng)


def sparse(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, C, N), _probabilities(rng)


def binary(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scores = np.where(rng.random((N, 1)) < 0.2, rng.choice([0.0, 0.5, 1.0], (N, 1)), rng.random((N, 1)))
    return rng.integers(0, 2, (N, 1)).astype("float32"), scores.astype("float32")


def multi_label(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 2, (N, C)).astype("float32"), rng.random((N, C)).astype("float32")


def numbers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(N, C)).astype("float32"), rng.normal(size=(N, C)).astype("float32")


def positive(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.random((N, C)).astype("float32") + 0.1, rng.random((N, C)).astype("float32") + 0.1


def classes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, C, N), rng.integers(0, C, N)


Maker = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
CASES: list[tuple[str, dict[str, Any], Maker]] = [
    ("Accuracy", {}, classes),
    ("BinaryAccuracy", {}, binary),
    ("BinaryAccuracy", {"threshold": 0.3}, multi_label),
    ("CategoricalAccuracy", {}, one_hot),
    ("SparseCategoricalAccuracy", {}, sparse),
    ("TopKCategoricalAccuracy", {"k": 2}, one_hot),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, sparse),
    ("AUC", {}, binary),
    ("AUC", {"curve": "PR", "num_thresholds": 50}, multi_label),
    ("AUC", {"curve": "PRGAIN", "num_thresholds": 20}, binary),
    ("AUC", {"curve": "PR", "summation_method": "majoring"}, binary),
    ("AUC", {"summation_method": "minoring", "thresholds": [0.1, 0.2, 0.7]}, binary),
    ("AUC", {"multi_label": True, "num_thresholds": 30}, multi_label),
    ("AUC", {"multi_label": True, "num_thresholds": 3, "label_weights": [1.0, 2, 3, 4, 5]}, multi_label),
    ("AUC", {"from_logits": True}, lambda rng: (multi_label(rng)[0], numbers(rng)[0])),
    ("Precision", {}, one_hot),
    ("Precision", {"thresholds": [0.2, 0.5, 0.9]}, multi_label),
    ("Precision", {"top_k": 2}, one_hot),
    ("Precision", {"class_id": 1, "thresholds": 0.2}, one_hot),
    ("Recall", {}, multi_label),
    ("Recall", {"top_k": 3, "class_id": 2}, one_hot),
    ("TruePositives", {}, binary),
    ("TrueNegatives", {"thresholds": [0.1, 0.6]}, multi_label),
    ("FalsePositives", {}, multi_label),
    ("FalseNegatives", {"thresholds": [0.0, 0.5, 1.0]}, binary),
    ("PrecisionAtRecall", {"recall": 0.5}, binary),
    ("RecallAtPrecision", {"precision": 0.5}, multi_label),
    ("SensitivityAtSpecificity", {"specificity": 0.5}, binary),
    ("SpecificityAtSensitivity", {"sensitivity": 0.5, "num_thresholds": 1}, multi_label),
    ("F1Score", {}, one_hot),
    ("F1Score", {"average": "weighted"}, one_hot),
    ("F1Score", {"average": "micro", "threshold": 0.3}, multi_label),
    ("FBetaScore", {"average": "macro", "beta": 2.0}, one_hot),
    ("IoU", {"num_classes": C, "target_class_ids": [0, 2]}, classes),
    ("MeanIoU", {"num_classes": C, "ignore_class": 1}, classes),
    ("BinaryIoU", {}, binary),
    ("OneHotIoU", {"num_classes": C, "target_class_ids": [1]}, one_hot),
    ("OneHotMeanIoU", {"num_classes": C}, one_hot),
    ("MeanSquaredError", {}, numbers),
    ("RootMeanSquaredError", {}, numbers),
    ("MeanAbsoluteError", {}, numbers),
    ("MeanAbsolutePercentageError", {}, numbers),
    ("MeanSquaredLogarithmicError", {}, positive),
    ("CosineSimilarity", {}, numbers),
    ("LogCoshError", {}, numbers),
    ("R2Score", {}, numbers),
    ("R2Score", {"class_aggregation": None, "num_regressors": 2}, numbers),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, numbers),
    ("PearsonCorrelation", {}, numbers),
    ("ConcordanceCorrelation", {}, numbers),
    ("KLDivergence", {}, one_hot),
    ("Poisson", {}, positive),
    ("BinaryCrossentropy", {}, multi_label),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, multi_label),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, one_hot),
    ("SparseCategoricalCrossentropy", {}, sparse),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, sparse),
    ("Hinge", {}, binary),
    ("SquaredHinge", {}, numbers),
    ("CategoricalHinge", {}, one_hot),
]
# Keras' R2Score adds whole-batch sums in float32 and divides small differences
LOOSE = {"R2Score": 1e-4, "MeanAbsolutePercentageError": 1e-4, "ConcordanceCorrelation": 1e-4}


def run(metric: Any, batches: list[tuple[np.ndarray, np.ndarray]], weights: list[np.ndarray] | None) -> np.ndarray:
    for i, (true, pred) in enumerate(batches):
        metric.update_state(true, pred, **({"sample_weight": weights[i]} if weights else {}))
    return np.asarray(metric.result().detach().cpu() if hasattr(metric.result(), "detach") else metric.result())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options", "make"), CASES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(CASES)])
def test_value_equals_keras(name: str, options: dict[str, Any], make: Maker, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    batches = [make(rng) for _ in range(3)]
    kind = "int32" if "IoU" in name else "float32"
    weights = [rng.integers(0, 4, N).astype(kind) for _ in batches] if weighted else None
    theirs = run(getattr(keras.metrics, name)(**options), batches, weights)
    metric = getattr(metrics, name)(**options)
    ours = run(metric, batches, weights)
    np.testing.assert_allclose(ours, theirs, rtol=LOOSE.get(name, 1e-5), atol=1e-6)
    metric.reset_state()
    again = run(metric, batches, weights)
    np.testing.assert_array_equal(again, ours)


@pytest.mark.parametrize(("name", "options", "make"), CASES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(CASES)])
def test_config_goes_both_ways(name: str, options: dict[str, Any], make: Maker) -> None:
    ours = getattr(metrics, name)(**options)
    theirs = keras.metrics.deserialize(metrics.serialize(ours))
    back = metrics.deserialize(keras.metrics.serialize(theirs))
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()
    batches = [make(np.random.default_rng(1))]
    np.testing.assert_allclose(run(back, batches, None), run(theirs, batches, None), rtol=1e-4, atol=1e-6)


def test_every_exported_metric_is_compared() -> None:
    exported = {n for n in metrics.__all__ if isinstance(getattr(metrics, n), type)}
    elsewhere = {"Metric", "Mean", "Sum", "MeanMetricWrapper", "MetricContainer"}  # below and in test_container
    assert exported - elsewhere == {name for name, _, _ in CASES}


def test_everything_keras_exports_is_here() -> None:
    missing = {n for n in dir(keras.metrics) if not n.startswith("_")} - set(dir(metrics))
    assert not missing


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("binary_accuracy", binary), ("categorical_accuracy", one_hot), ("sparse_categorical_accuracy", sparse),
        ("top_k_categorical_accuracy", one_hot), ("sparse_top_k_categorical_accuracy", sparse),
        ("pearson_correlation", numbers), ("concordance_correlation", numbers),
    ],
)  # fmt: skip
def test_functions_equal_keras(name: str, make: Maker) -> None:
    true, pred = make(np.random.default_rng(5))
    theirs = getattr(keras.metrics, name)(true, pred).cpu().numpy()
    np.testing.assert_allclose(getattr(metrics, name)(true, pred).numpy(), theirs, rtol=1e-4)


def test_argmax_ties_go_to_the_first() -> None:
    assert float(metrics.sparse_categorical_accuracy([0], [[0.5, 0.5]])) == 1.0
    assert float(metrics.sparse_categorical_accuracy([1], [[0.5, 0.5]])) == 0.0


def test_binary_accuracy_counts_the_threshold_as_zero() -> None:
    assert float(metrics.binary_accuracy([[0.0]], [[0.5]]).mean()) == 1.0


@pytest.mark.parametrize("cls", ["Mean", "Sum"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_mean_and_sum_equal_keras(cls: str, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(4,), (4, 3), (4, 1), (4, 3, 2)]))
    weight_shape = data.draw(st.sampled_from([None, (4,), *([shape] if len(shape) < 3 else [])]))
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    ours, theirs = getattr(metrics, cls)(), getattr(keras.metrics, cls)()
    for _ in range(2):
        values = rng.normal(size=shape).astype("float32")
        weight = None if weight_shape is None else rng.random(weight_shape).astype("float32")
        ours.update_state(values, sample_weight=weight)
        theirs.update_state(values, sample_weight=weight)
    np.testing.assert_allclose(float(ours.result()), float(theirs.result()), rtol=1e-5, atol=1e-6)


def test_before_the_first_batch_the_value_is_zero(recwarn: pytest.WarningsRecorder) -> None:
    assert float(metrics.Mean().result()) == 0.0
    assert float(metrics.AUC().result()) == 0.0
    assert not recwarn.list


class Positives(metrics.Metric):
    """A user's metric, as Keras' guide writes one."""

    def __init__(self, name: str = "positives", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.count.assign_add(torch.sum(torch.as_tensor(y_pred) > 0))

    def result(self) -> Any:
        return self.count + 0.0

    def reset_state(self) -> None:
        self.count.assign(0)


def test_a_users_metric_works() -> None:
    metric = Positives()
    assert float(metric([0], [1, -1, 2])) == 2.0
    metric.update_state([0], [3])
    assert float(metric.result()) == 3.0
    assert float(metric.compute()) == 3.0
    metric.reset_state()
    assert float(metric.result()) == 0.0
    assert metric.variables[0].name == "count"


def test_a_users_subclass_of_mean_may_call_super() -> None:
    class Doubled(metrics.Mean):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
            super().update_state(2.0 * torch.as_tensor(y_pred), sample_weight=sample_weight)

        def result(self) -> Any:
            return super().result() + 1.0

    metric = Doubled()
    metric.update_state(None, [1.0, 2.0])
    assert float(metric.result()) == 4.0


def test_a_plain_function_becomes_a_mean_that_can_be_serialised() -> None:
    metric = metrics.MeanMetricWrapper(metrics.mean_squared_error, name="m")
    metric.update_state([[1.0]], [[3.0]])
    assert float(metric.result()) == 4.0
    assert metric.get_config() == {"name": "m", "fn": "mean_squared_error"}


def test_updates_keep_no_graph() -> None:
    pred = torch.rand(4, 3, requires_grad=True)
    metric = metrics.CategoricalCrossentropy()
    metric.update_state(torch.eye(4, 3), pred)
    assert not metric.result().requires_grad


def test_states_are_torchmetrics_states() -> None:
    metric = metrics.Precision()
    assert set(metric._reductions) == {"true_positives", "false_positives"}
    assert all(fx is not None for fx in metric._reductions.values())


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean"):
        metrics.get("accurracy")


@pytest.mark.parametrize(
    ("metric", "true"),
    [
        (lambda: metrics.Precision(), [0, 1]),
        (lambda: metrics.F1Score(), [[0], [1]]),
        (lambda: metrics.SparseCategoricalAccuracy(), [[1, 0, 0], [0, 1, 0]]),
    ],
)
def test_labels_of_the_wrong_kind_are_named_with_the_cure(metric: Any, true: Any) -> None:
    with pytest.raises(InputError, match="one-hot"):
        metric().update_state(np.asarray(true), np.full((2, 3), 1 / 3, "float32"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: metrics.Precision(thresholds=2.0), lambda: metrics.AUC(num_thresholds=1),
        lambda: metrics.AUC(curve="x"),
        lambda: metrics.FBetaScore(beta=1), lambda: metrics.F1Score(average="x"), lambda: metrics.R2Score("x"),
        lambda: metrics.IoU(2, [2]), lambda: metrics.PrecisionAtRecall(2.0),
        lambda: metrics.BinaryAccuracy(threshold=2),
        lambda: metrics.AUC(num_labels=2), lambda: metrics.F1Score(threshold=0.0),
    ],
)  # fmt: skip
def test_impossible_options_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(InputError):
        make()


@pytest.mark.cuda
def test_states_follow_the_data_to_the_gpu() -> None:
    metric = metrics.AUC(num_thresholds=10)
    metric.update_state(torch.ones(3, 1).cuda(), torch.rand(3, 1).cuda())
    assert metric.true_positives.is_cuda


def test_the_old_name_of_reset_state() -> None:
    accuracy = metrics.SparseCategoricalAccuracy()
    accuracy.update_state([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    accuracy.reset_states()
    assert float(accuracy.result()) == 0.0

    class Counter(metrics.Metric):
        def __init__(self, name: str = "counter") -> None:
            super().__init__(name=name)
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
            self.seen.assign_add(1.0)

        def result(self) -> object:
            return self.seen

        def reset_states(self) -> None:  # overridden by the name that Keras had until 2.5
            self.seen.assign(100.0)

    counter = Counter()
    counter.update_state([0], [0])
    counter.reset_state()
    assert float(counter.result()) == 100.0


BOOLEAN = ("CategoricalAccuracy", "BinaryAccuracy", "Precision", "Recall", "AUC", "F1Score")


@pytest.mark.parametrize("name", BOOLEAN)
def test_true_and_false_are_labels(name: str) -> None:
    """pandas' get_dummies gives booleans."""
    rng = np.random.default_rng(0)
    true, pred = one_hot(rng)
    ours, theirs = (getattr(library, name)() for library in (metrics, keras.metrics))
    for metric in (ours, theirs):
        metric.update_state(true.astype(bool), pred)
    np.testing.assert_allclose(np.asarray(ours.result()), np.asarray(theirs.result()), rtol=1e-5)
