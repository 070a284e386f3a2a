"""The counter-based generator: a pure function, uniform, and independent along samples, epochs and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scene_lightning.data.randomness import permutation, uniforms


def test_each_sample_depends_on_itself_alone() -> None:
    whole = uniforms(7, 3, np.arange(100), 12)
    np.testing.assert_array_equal(uniforms(7, 3, np.array([42, 7]), 12), whole[[42, 7]])
    np.testing.assert_array_equal(uniforms(7, 3, np.arange(100), 5), whole[:, :5])


@pytest.mark.parametrize("other", [(8, 3), (7, 4), (3, 7), (-7, 3)])
def test_seed_and_epoch_change_every_number(other: tuple[int, int]) -> None:
    assert not np.isin(uniforms(7, 3, np.arange(200), 4), uniforms(*other, np.arange(200), 4)).any()


def test_values_are_fixed_for_good() -> None:
    """A change here would change every resumed run."""
    np.testing.assert_allclose(uniforms(777, 2, np.array([0, 1, 8740]), 2), GOLDEN, rtol=0, atol=1e-15)


GOLDEN = np.array(
    [
        [0.4530903520582331, 0.7294910399573956],
        [0.8257744748370724, 0.12603404397423423],
        [0.6215186862954952, 0.6152301173502736],
    ]
)


def test_uniform_in_every_column() -> None:
    numbers = uniforms(0, 0, np.arange(20_000), 6)
    assert numbers.min() >= 0 and numbers.max() < 1
    for column in numbers.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4


def test_independent_across_columns_samples_and_epochs() -> None:
    """Correlations of 20,000 pairs lie within five standard errors (1/√n) of none."""
    numbers = uniforms(1, 0, np.arange(20_000), 6)
    limit = 5 / np.sqrt(len(numbers))
    columns = np.corrcoef(numbers.T) - np.eye(6)
    assert np.abs(columns).max() < limit
    for lag in (1, 2, 32):
        assert abs(np.corrcoef(numbers[:-lag, 0], numbers[lag:, 0])[0, 1]) < limit
    for epoch in (1, 2):
        assert abs(np.corrcoef(numbers[:, 0], uniforms(1, epoch, np.arange(20_000), 1)[:, 0])[0, 1]) < limit


def test_pairs_fill_the_square() -> None:
    numbers = uniforms(5, 1, np.arange(40_000), 2)
    cells = np.histogram2d(numbers[:, 0], numbers[:, 1], bins=20, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(cells.ravel()).pvalue > 1e-4


def test_permutation_is_one_and_changes_with_the_epoch() -> None:
    first, again, second = permutation(3, 0, 500), permutation(3, 0, 500), permutation(3, 1, 500)
    np.testing.assert_array_equal(np.sort(first), np.arange(500))
    np.testing.assert_array_equal(first, again)
    assert (first != second).mean() > 0.9
