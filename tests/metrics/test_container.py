"""What `compile(metrics=…)` means: names, the choice by shapes, weights, means over batches, several outputs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import metrics
from scene_lightning.errors import InputError
from scene_lightning.metrics import MetricContainer


def batch(n: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    return torch.nn.functional.one_hot(labels, 3).float(), torch.rand(n, 3, generator=generator)


@pytest.mark.parametrize(
    ("true", "pred", "kind"),
    [
        ((4, 1), (4, 1), metrics.BinaryAccuracy),
        ((4,), (4, 1), metrics.BinaryAccuracy),
        ((4,), (4, 3), metrics.SparseCategoricalAccuracy),
        ((4, 1), (4, 3), metrics.SparseCategoricalAccuracy),
        ((4, 3), (4, 3), metrics.CategoricalAccuracy),
    ],
)
def test_accuracy_is_chosen_by_the_shapes(true: Any, pred: Any, kind: type) -> None:
    assert type(metrics.resolve_accuracy(true, pred, "acc")) is kind
    assert metrics.resolve_accuracy(true, pred, "acc").name == "acc"


def test_names_are_kerass() -> None:
    def spread(y_true: Any, y_pred: Any) -> Any:
        return y_pred.std(-1)

    container = MetricContainer(
        [
            "accuracy",
            "acc",
            metrics.CategoricalAccuracy(),
            "mse",
            "accuracy",
            spread,
            metrics.mean_absolute_error,
            "ce",
        ],
        ["accuracy", metrics.Precision()],
    )
    container.update(*batch(), loss=torch.tensor(1.0))
    assert container.names == [
        "loss", "accuracy", "acc", "categorical_accuracy", "mse", "accuracy_1", "spread", "mean_absolute_error", "ce",
        "weighted_accuracy", "precision",
    ]  # fmt: skip
    assert list(container.result()) == sorted(container.names)


def test_names_and_values_equal_keras_own_container() -> None:
    from keras.src.trainers.compile_utils import CompileMetrics

    wanted: list[Any] = ["accuracy", "mse", "cosine_similarity"]
    theirs = CompileMetrics(wanted, ["accuracy", "mae"])
    ours = MetricContainer(wanted, ["accuracy", "mae"])
    for seed, n in ((0, 4), (1, 4), (2, 1)):
        true, pred = batch(n, seed)
        weight = torch.rand(n)
        theirs.update_state(true, pred, sample_weight=weight)
        ours.update(true, pred, sample_weight=weight, loss=torch.tensor(0.0))
    expected = {name: float(value) for name, value in theirs.result().items()}
    values = {name: float(value) for name, value in ours.result().items() if name != "loss"}
    assert values == pytest.approx(expected, rel=1e-6)


def test_the_loss_counts_by_samples_also_when_they_are_weighted() -> None:
    container = MetricContainer()
    container.update(*batch(4), sample_weight=torch.zeros(4), loss=torch.tensor(1.0))
    container.update(*batch(1), loss=torch.tensor(6.0))
    assert float(container.result()["loss"]) == 2.0
    container.reset()
    assert float(container.result(sync=False)["loss"]) == 0.0


def test_metrics_ignore_weights_and_weighted_metrics_do_not() -> None:
    container = MetricContainer(["accuracy"], ["accuracy"])
    true = torch.eye(2)
    container.update(true, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), sample_weight=torch.tensor([3.0, 1.0]))
    values = container.result()
    assert float(values["accuracy"]) == 0.5
    assert float(values["weighted_accuracy"]) == 0.75


@pytest.mark.parametrize("as_dict", [False, True])
def test_several_outputs(as_dict: bool) -> None:
    wanted: Any = {"a": ["accuracy"], "b": "mse"} if as_dict else [["accuracy"], "mse"]
    container = MetricContainer(wanted, output_names=["a", "b"])
    true, pred = batch()
    container.update([true, pred], [pred, pred], loss={"loss": 3.0, "a_loss": torch.tensor(1.0), "b_loss": 2.0})
    values = container.result()
    assert list(values) == ["a_accuracy", "a_loss", "b_loss", "b_mse", "loss"]
    assert float(values["b_mse"]) == 0.0
    assert float(values["loss"]) == 3.0


def test_outputs_as_dicts() -> None:
    container = MetricContainer({"b": ["mse"]})
    true, pred = batch()
    container.update({"b": pred, "a": true}, {"a": pred, "b": pred}, loss=torch.tensor(0.0))
    assert float(container.result()["b_mse"]) == 0.0


@pytest.mark.parametrize("wanted", ["accuracy", 3])
def test_metrics_must_be_a_list(wanted: Any) -> None:
    with pytest.raises(InputError, match="list"):
        MetricContainer(wanted)


def test_wrong_entries_are_named() -> None:
    with pytest.raises(InputError, match="None"):
        MetricContainer([None, "mse"])._by_output([None], [""])
        metrics.resolve_metric(None, *batch())
    with pytest.raises(InputError, match="outputs"):
        MetricContainer({"c": "mse"}, output_names=["a", "b"]).build([batch()[0]] * 2, [batch()[1]] * 2)
    with pytest.raises(InputError, match="outputs"):
        MetricContainer(["mse"], output_names=["a", "b"]).build([batch()[0]] * 2, [batch()[1]] * 2)
    with pytest.raises(InputError, match="torchmetrics"):
        metrics.resolve_metric(torch.nn.Identity(), *batch())


def test_a_loss_object_serves_as_a_metric() -> None:
    from scene_lightning.losses import MeanSquaredError

    true, pred = batch()
    container = MetricContainer([MeanSquaredError()])
    container.update(true, pred)
    expected = float(keras.losses.MeanSquaredError()(true, pred))
    assert float(container.result()["mean_squared_error"]) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(expected)
