"""Computes how sure figures are: intervals of shares and of F1, and paired tests of two models on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile
RESAMPLES, SEED = 2000, 0


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, 1927); (0, 1) where nothing was counted.

    Args:
        hits: how many of them.
        total: how many there are.
    """
    if total == 0:
        return 0.0, 1.0
    share, spread = hits / total, Z95 * Z95 / total
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def f1_intervals(matrix: Any) -> list[tuple[float, float]]:
    """The 95 % percentile bootstrap interval of each class's F1: images are drawn anew, with replacement.

    Args:
        matrix: (K, K) counts, rows true.

    Returns:
        K pairs; (0, 1) for a class that occurs in no draw.
    """
    counts = np.asarray(matrix, np.int64)
    classes, total = len(counts), int(counts.sum())
    if total == 0:
        return [(0.0, 1.0)] * classes
    rows, columns = np.nonzero(counts)
    drawn = np.random.default_rng(SEED).multinomial(total, counts[rows, columns] / total, size=RESAMPLES)
    support, guessed, right = (np.zeros((RESAMPLES, classes)) for _ in range(3))
    for cell, (row, column) in enumerate(zip(rows, columns, strict=True)):
        support[:, row] += drawn[:, cell]
        guessed[:, column] += drawn[:, cell]
        if row == column:
            right[:, row] += drawn[:, cell]
    both = support + guessed
    scores = np.divide(2 * right, both, out=np.full(both.shape, np.nan), where=both > 0)
    intervals = []
    for number in range(classes):
        known = scores[:, number][~np.isnan(scores[:, number])]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (0.0, 1.0)
        intervals.append((float(low), float(high)))
    return intervals


def average_precision_interval(value: float, positives: int) -> tuple[float, float]:
    """The 95 % interval of an average precision, on the scale of log odds (Boyd, Eng and Page, 2013).

    Args:
        value: the average precision, 0 to 1; it counts as half an image from 0 and 1 at least.
        positives: how many images have the label.
    """
    if positives == 0:
        return 0.0, 1.0
    inner = min(max(value, 0.5 / positives), 1 - 0.5 / positives)
    centre, half = math.log(inner / (1 - inner)), Z95 / math.sqrt(positives * inner * (1 - inner))
    low, high = (1 / (1 + math.exp(-limit)) for limit in (centre - half, centre + half))
    return min(low, value), 1.0 if value >= 1 else max(high, value)


def mcnemar(first_only: int, second_only: int) -> float:
    """The exact two-sided p-value of McNemar's test: a binomial test of the images that one model alone got right.

    Args:
        first_only, second_only: how many images only the first, and only the second model got right.
    """
    total, fewer = first_only + second_only, min(first_only, second_only)
    if total == 0:
        return 1.0
    logs = np.array(
        [math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(fewer + 1)]
    )
    log_sum = float(np.logaddexp.reduce(logs)) - total * math.log(2)
    return min(1.0, 2 * math.exp(log_sum))


def difference_interval(first_only: int, second_only: int, images: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two accuracies on the same images (Agresti and Min, 2005).

    Wald's interval after half an image was added to each of the four cells.

    Args:
        first_only, second_only: how many images only the first, and only the second model got right.
        images: how many both answered.
    """
    total, one, other = images + 2, first_only + 0.5, second_only + 0.5
    difference = (one - other) / total
    half = Z95 * math.sqrt(max(one + other - (one - other) ** 2 / total, 0)) / total
    return max(-1.0, difference - half), min(1.0, difference + half)


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm, 1979), in the order given.

    Args:
        values: p-values.
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        adjusted[place] = largest
    return adjusted


def reliability(probabilities: NDArray[np.float32], labels: Any, bins: int) -> list[dict[str, float]]:
    """For each bin of confidence that holds images: its borders, images, mean confidence and accuracy.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers; or (N, K), 1 where an image has a label: then each label of each image counts.
        bins: how many, of equal width.
    """
    if np.ndim(labels) == 2:
        sure, right = probabilities.ravel(), np.asarray(labels, bool).ravel()
    else:
        sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == np.asarray(labels)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "low": number / bins,
            "high": (number + 1) / bins,
            "images": int(within.sum()),
            "confidence": float(sure[within].mean()),
            "accuracy": float(right[within].mean()),
        }
        for number in range(bins)
        if (within := place == number).any()
    ]
