"""`sklearn.cross_validation` of before 0.18, where a split was told the size of the data and was the list of folds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn import model_selection as _now


class _Folds:
    """A split of today with the number of samples, or the labels, of one data set."""

    def __init__(self, split: Any, count: int, labels: Any = None) -> None:
        self._split, self._labels, self._rows = split, labels, np.zeros((count, 1))

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return iter(self._split.split(self._rows, self._labels))

    def __len__(self) -> int:
        return int(self._split.get_n_splits(self._rows, self._labels))


def _folded(n: Any, name: str, n_splits: int, shuffle: bool, random_state: Any) -> _Folds:
    labels = n if np.ndim(n) else None
    split = getattr(_now, name)(n_splits, shuffle=shuffle, random_state=random_state if shuffle else None)
    return _Folds(split, int(n) if labels is None else len(n), labels)


def KFold(n: Any, n_folds: int = 3, shuffle: bool = False, random_state: Any = None) -> _Folds:
    """Make folds of `n` samples, one after another or shuffled.

    Args:
        n: the number of samples.
        n_folds: how many.
        shuffle: whether samples are shuffled first.
        random_state: the seed of it.
    """
    return _folded(n, "KFold", n_folds, shuffle, random_state)


def StratifiedKFold(y: Any, n_folds: int = 3, shuffle: bool = False, random_state: Any = None) -> _Folds:
    """Make folds in which each class has its share.

    Args:
        y: (N,) labels.
        n_folds: how many.
        shuffle: whether samples are shuffled first.
        random_state: the seed of it.
    """
    return _folded(np.asarray(y), "StratifiedKFold", n_folds, shuffle, random_state)


def ShuffleSplit(
    n: int, n_iter: int = 10, test_size: Any = 0.1, train_size: Any = None, random_state: Any = None
) -> _Folds:
    """Make `n_iter` random splits of `n` samples.

    Args:
        n: the number of samples.
        n_iter: how many.
        test_size, train_size: a number of samples or a share of them; None for the rest.
        random_state: the seed.
    """
    split = _now.ShuffleSplit(n_iter, test_size=test_size, train_size=train_size, random_state=random_state)
    return _Folds(split, int(n))


def StratifiedShuffleSplit(
    y: Any, n_iter: int = 10, test_size: Any = 0.1, train_size: Any = None, random_state: Any = None
) -> _Folds:
    """Make `n_iter` random splits in which each class has its share.

    Args:
        y: (N,) labels.
        n_iter: how many.
        test_size, train_size: a number of samples or a share of them; None for the rest.
        random_state: the seed.
    """
    split = _now.StratifiedShuffleSplit(n_iter, test_size=test_size, train_size=train_size, random_state=random_state)
    return _Folds(split, len(y), np.asarray(y))


def LeaveOneOut(n: int) -> _Folds:
    """Make `n` splits, each of which tests one sample.

    Args:
        n: the number of samples.
    """
    return _Folds(_now.LeaveOneOut(), int(n))


cross_val_predict, cross_val_score = _now.cross_val_predict, _now.cross_val_score
permutation_test_score, train_test_split = _now.permutation_test_score, _now.train_test_split

__all__ = [
    "KFold", "LeaveOneOut", "ShuffleSplit", "StratifiedKFold", "StratifiedShuffleSplit", "cross_val_predict",
    "cross_val_score", "permutation_test_score", "train_test_split",
]  # fmt: skip
