"""TensorFlow 1's optimizers by name, with the same formulas and defaults. Source: `tf.compat.v1.train`."""

from __future__ import annotations

from typing import Any

from scene_lightning import optimizers


def AdamOptimizer(
    learning_rate: Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, **_: Any
) -> optimizers.Adam:
    """Adam; its epsilon is smaller than Keras'."""
    return optimizers.Adam(learning_rate, beta1, beta2, epsilon)


def GradientDescentOptimizer(learning_rate: Any, *_: Any, **__: Any) -> optimizers.SGD:
    """Plain steps against the gradient."""
    return optimizers.SGD(learning_rate)


def MomentumOptimizer(
    learning_rate: Any, momentum: float, use_locking: bool = False, name: Any = None, use_nesterov: bool = False
) -> optimizers.SGD:
    """Steps with momentum."""
    return optimizers.SGD(learning_rate, momentum, use_nesterov)


def RMSPropOptimizer(
    learning_rate: Any, decay: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-10, use_locking: bool = False,
    centered: bool = False, name: Any = None,
) -> optimizers.RMSprop:  # fmt: skip
    """RMSprop; here `decay` is that of the mean square, Keras' rho."""
    return optimizers.RMSprop(learning_rate, decay, momentum, epsilon, centered)


def AdagradOptimizer(learning_rate: Any, initial_accumulator_value: float = 0.1, **_: Any) -> optimizers.Adagrad:
    """Adagrad."""
    return optimizers.Adagrad(learning_rate, initial_accumulator_value)
