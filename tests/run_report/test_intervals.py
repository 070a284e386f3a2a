"""Intervals and paired tests, against published numbers and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from scene_lightning.run_report.intervals import (
    average_precision_interval,
    difference_interval,
    f1_intervals,
    holm,
    mcnemar,
    reliability,
    wilson,
)


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (7, 10), (263, 281), (3000, 3000)])
def test_wilson_is_scipys(hits: int, total: int) -> None:
    expected = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_counted_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
    assert f1_intervals([[0, 0], [0, 0]]) == [(0, 1), (0, 1)]


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (5, 5), (12, 3), (40, 71), (900, 1100)])
def test_mcnemar_is_the_binomial_test(one: int, other: int) -> None:
    expected = stats.binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(expected, rel=1e-9)


def test_f1_intervals_hold_f1_and_shrink_with_images() -> None:
    few = np.array([[40, 10], [5, 45]])
    wide, narrow = f1_intervals(few), f1_intervals(few * 25)
    for place in range(2):
        f1 = 2 * few[place, place] / (few[place].sum() + few[:, place].sum())
        assert wide[place][0] < f1 < wide[place][1]
        assert narrow[place][1] - narrow[place][0] < (wide[place][1] - wide[place][0]) / 4


def test_the_interval_of_a_difference_covers_it() -> None:
    """Agresti and Min's adjustment keeps the nominal level on 100 images: counted over 2,000 pairs of models."""
    random = np.random.default_rng(0)
    truth, covered = 0.15 - 0.05, 0
    for first, second, _ in random.multinomial(100, [0.15, 0.05, 0.8], size=2000):
        low, high = difference_interval(int(first), int(second), 100)
        covered += low <= truth <= high
    assert 0.93 < covered / 2000 < 0.98


def test_holm_multiplies_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]


def test_the_interval_of_an_average_precision_is_a_bootstraps() -> None:
    random = np.random.default_rng(0)
    truth = random.random(600) < 0.3
    scores = random.normal(size=600) + 1.5 * truth
    drawn = [average_precision_score(truth[rows], scores[rows]) for rows in random.integers(0, 600, (300, 600))]
    low, high = average_precision_interval(average_precision_score(truth, scores), int(truth.sum()))
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.035)
    assert average_precision_interval(1.0, 20)[1] == 1 and 0.5 < average_precision_interval(1.0, 20)[0] < 0.95
    assert average_precision_interval(0.5, 0) == (0, 1)


def test_bins_of_confidence_hold_all_images() -> None:
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], 300).astype(np.float32)
    rows[0] = [1, 0, 0]
    labels = rows.argmax(axis=1)
    labels[:60] = (labels[:60] + 1) % 3
    bins = reliability(rows, labels, 15)
    assert sum(one["images"] for one in bins) == 300
    assert sum(one["images"] * one["accuracy"] for one in bins) == pytest.approx(240)
    assert all(one["low"] <= one["confidence"] <= one["high"] for one in bins)
