"""Today's regularizers under Keras 1's names. Keras 1: `keras.regularizers`."""

from __future__ import annotations

from scene_lightning.regularizers import L1L2


def l1l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """`L1L2(l1, l2)`. Keras 1: `l1l2` and `activity_l1l2`.

    Args:
        l1: the factor of the sum of absolute values.
        l2: the factor of the sum of squares.
    """
    return L1L2(l1=l1, l2=l2)


def activity_l1(l: float = 0.01) -> L1L2:  # noqa: E741  # Keras 1's name for it
    """`L1(l)`, for `activity_regularizer=`.

    Args:
        l: the factor of the sum of absolute values.
    """
    return L1L2(l1=l)


def activity_l2(l: float = 0.01) -> L1L2:  # noqa: E741
    """`L2(l)`, for `activity_regularizer=`.

    Args:
        l: the factor of the sum of squares.
    """
    return L1L2(l2=l)


def WeightRegularizer(l1: float = 0.0, l2: float = 0.0) -> L1L2:
    """`L1L2(l1, l2)`, under Keras 1's two class names.

    Args:
        l1: the factor of the sum of absolute values.
        l2: the factor of the sum of squares.
    """
    return L1L2(l1=l1, l2=l2)


ActivityRegularizer = WeightRegularizer
activity_l1l2 = l1l2

__all__ = ["ActivityRegularizer", "WeightRegularizer", "activity_l1", "activity_l1l2", "activity_l2", "l1l2"]
