"""Measures a model that gives images any number of labels, and chooses the threshold of each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multilabel_auroc, multilabel_average_precision

from scene_lightning import losses
from scene_lightning.data.table import ImageTable
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.images_seen import ImagesSeen
from scene_lightning.inference.predictor import Predictor, Probabilities
from scene_lightning.reports.messages import report_unreadable
from scene_lightning.reports.tables import format_table

_PAIRS_SHOWN = 10


def best_thresholds(probabilities: Probabilities, targets: NDArray[Any]) -> list[float]:
    """For each label, the threshold with the best F1; of several, the one nearest to a half.

    Args:
        probabilities: (N, K).
        targets: (N, K), 1 where an image has a label.
    """
    thresholds = []
    for column, truth in zip(probabilities.T.astype(np.float64), targets.T > 0, strict=True):
        values = np.unique(column)
        candidates = np.unique(np.append((values[1:] + values[:-1]) / 2, 0.5))
        given = column[None] >= candidates[:, None]
        hits = (given & truth).sum(axis=1)
        f1 = 2 * hits / np.maximum(given.sum(axis=1) + truth.sum(), 1)
        best = candidates[f1 >= f1.max() - 1e-9]
        thresholds.append(float(best[np.abs(best - 0.5).argmin()]))
    return thresholds


def answers_about_labels(
    predictor: Predictor, table: ImageTable, *, strict: bool = False, verbose: bool = True
) -> Answers:
    """What a model of several labels says about images that have them; those that cannot be read are left out.

    Args:
        predictor: the loaded model.
        table: the images, with `targets`.
        strict, verbose: as for `score`.
    """
    assert table.targets is not None
    truth = table.targets > 0
    answers = Answers(predictor.info.class_names, thresholds=predictor.info.thresholds)

    def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
        for position, row in zip(positions, probabilities, strict=True):
            answers.add(table.paths[position], truth[position], row)

    feed = predictor.predict(table.paths, take, strict=strict, verbose=verbose)
    report_unreadable(list(feed.unreadable.values()), len(table))
    return answers


def score_labels(predictor: Predictor, table: ImageTable, answers: Answers) -> dict[str, Any]:
    """Measure answers about labelled images.

    Args:
        predictor: what answered.
        table: the images.
        answers: as `answers_about_labels` gives them.

    Returns:
        `score`'s keys, with what `label_figures` gives, and multi_label: true.
    """
    predicted, truth = torch.from_numpy(answers.rows()), answers.truth()
    return {
        "data": table.root, "split": None, "seen": ImagesSeen.of_model(predictor.model).among(answers.paths).as_dict(),
        "images": len(answers.paths), "loss": _loss(predictor.model, predicted, truth), "multi_label": True,
        **label_figures(answers),
    }  # fmt: skip


def label_figures(answers: Answers) -> dict[str, Any]:
    """How well each label was recognised.

    Args:
        answers: of a model of several labels.

    Returns:
        `accuracy`, the share of images with exactly the right labels; `per_class`: precision, recall, f1, support (the
        images that have the label), given (those that it was given to), auc and average_precision (None where a label
        is on all images or none) and threshold; `confusion_matrix` with the hits on its diagonal, and in row i, column
        j the images on which label i was missed and j wrongly given; `mean_average_precision`, `f1` (the mean of the
        labels') and `classes`.
    """
    truth, given, names = answers.truth(), answers.given(), [str(name) for name in answers.class_names]
    assert answers.thresholds is not None
    hits = (truth & given).sum(axis=0)
    missed, wrong = truth & ~given, given & ~truth
    matrix = missed.astype(np.int64).T @ wrong.astype(np.int64) + np.diag(hits)
    predicted, target = torch.from_numpy(answers.rows()), torch.from_numpy(truth.astype(np.int64))
    ranks = {
        "auc": multilabel_auroc(predicted, target, len(names), average=None),
        "average_precision": multilabel_average_precision(predicted, target, len(names), average=None),
    }
    counts = truth.sum(axis=0)
    per_class = {}
    for k, name in enumerate(names):
        precision = float(hits[k] / max(1, given[:, k].sum()))
        recall = float(hits[k] / max(1, truth[:, k].sum()))
        both = precision + recall
        per_class[name] = {
            "precision": precision, "recall": recall, "f1": 2 * precision * recall / both if both else 0.0,
            "support": int(counts[k]), "given": int(given[:, k].sum()), "threshold": float(answers.thresholds[k]),
            **{key: float(values[k]) if 0 < counts[k] < len(truth) else None for key, values in ranks.items()},
        }  # fmt: skip
    ranked = [one["average_precision"] for one in per_class.values() if one["average_precision"] is not None]
    return {
        "accuracy": 1 - float(answers.wrong().mean()),
        "mean_average_precision": float(np.mean(ranked)) if ranked else None,
        "f1": float(np.mean([one["f1"] for one in per_class.values()])),
        "classes": names, "per_class": per_class, "confusion_matrix": matrix.tolist(),
    }  # fmt: skip


def _loss(model: Any, predicted: torch.Tensor, truth: NDArray[np.bool_]) -> float | None:
    if getattr(model, "loss", None) is None:
        return None
    return float(losses.get(model.loss)(torch.from_numpy(truth.astype(np.float32)), predicted).mean())


def format_labels(result: dict[str, Any]) -> str:
    """Format what `score_labels` gives for a terminal: figures by label, means, the most frequent confusions.

    Args:
        result: the result.
    """

    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    keys = ("precision", "recall", "f1", "average_precision", "auc", "threshold")
    rows = [
        [name, *(cell(one[key]) for key in keys), f"{one['support']:,}"] for name, one in result["per_class"].items()
    ]
    table = format_table(["label", "precision", "recall", "F1", "AP", "AUC", "threshold", "images"], rows)
    figures = [
        f"all labels right {result['accuracy']:.4f}", f"mean F1 {result['f1']:.4f}",
        f"mAP {cell(result['mean_average_precision']) or 'none'}",
    ]  # fmt: skip
    if result["loss"] is not None:
        figures.append(f"loss {result['loss']:.4f}")
    lines = [table, "", "   ".join(figures)]
    matrix = np.array(result["confusion_matrix"])
    np.fill_diagonal(matrix, 0)
    names = result["classes"]
    places = [np.unravel_index(place, matrix.shape) for place in np.argsort(-matrix, axis=None)[:_PAIRS_SHOWN]]
    pairs = [[names[i], names[j], str(matrix[i, j])] for i, j in places if matrix[i, j]]
    if pairs:
        lines += ["", format_table(["missed", "given instead", "images"], pairs)]
    return "\n".join(lines)
