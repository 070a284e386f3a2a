"""TensorFlow 1's optimizers by name, with the same formulas and defaults. Source: `tf.compat.v1.train`."""

from __future__ import annotations

from typing import Any

from scene_lightning import optimizers


def AdamOptimizer(
    learning_rate: Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, **_: Any
) -> optimizers.Adam:
    """Makes Adam; its epsilon is smaller than Keras'.

    Args:
        learning_rate: a number or a schedule.
        beta1, beta2: decay of the mean of gradients, and of their squares.
        epsilon: keeps the division from zero.
        **_: for TensorFlow's sake, without effect.
    """
    return optimizers.Adam(learning_rate, beta1, beta2, epsilon)


def GradientDescentOptimizer(learning_rate: Any, *_: Any, **__: Any) -> optimizers.SGD:
    """Makes SGD without momentum.

    Args:
        learning_rate: a number or a schedule.
        *_, **__: for TensorFlow's sake, without effect.
    """
    return optimizers.SGD(learning_rate)


def MomentumOptimizer(
    learning_rate: Any, momentum: float, use_locking: bool = False, name: Any = None, use_nesterov: bool = False
) -> optimizers.SGD:
    """Makes SGD with momentum.

    Args:
        learning_rate: a number or a schedule.
        momentum: the share of the last step that is kept.
        use_nesterov: whether the gradient is taken a step ahead.
        use_locking, name: for TensorFlow's sake, without effect.
    """
    return optimizers.SGD(learning_rate, momentum, use_nesterov)


def RMSPropOptimizer(
    learning_rate: Any, decay: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-10, use_locking: bool = False,
    centered: bool = False, name: Any = None,
) -> optimizers.RMSprop:  # fmt: skip
    """Makes RMSprop; here `decay` is that of the mean square, Keras' rho.

    Args:
        learning_rate: a number or a schedule.
        decay: the share of the old mean square that is kept.
        momentum: the share of the last step that is kept.
        epsilon: keeps the division from zero.
        centered: whether to divide by the gradients' variance.
        use_locking, name: for TensorFlow's sake, without effect.
    """
    return optimizers.RMSprop(learning_rate, decay, momentum, epsilon, centered)


def AdagradOptimizer(learning_rate: Any, initial_accumulator_value: float = 0.1, **_: Any) -> optimizers.Adagrad:
    """Makes Adagrad.

    Args:
        learning_rate: a number or a schedule.
        initial_accumulator_value: what the sums of squares start from.
        **_: for TensorFlow's sake, without effect.
    """
    return optimizers.Adagrad(learning_rate, initial_accumulator_value)
