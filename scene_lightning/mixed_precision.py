"""A dtype policy's name in; the precision that verbs use when they are not told out. Keras: `keras.mixed_precision`.

Keras gives the policy to layers as they are made; Lightning's precision belongs to the verb. So the global policy is
the default `precision` of fit, evaluate and predict: "mixed_float16" is Lightning's "16-mixed", and so on.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

from scene_lightning.layers.base.policy import DTypePolicy, dtype_policy, make_current
from scene_lightning.optimizers import LossScaleOptimizer
from scene_lightning.training.devices import set_policy_precision, take_inventory


def set_dtype_policy(policy: Any) -> None:
    """Make `policy` (a name or an object) the default precision of fit, evaluate and predict.

    "mixed_float16" without a GPU computes in float32, with a warning: the same program then runs there too.
    """
    wanted = policy if isinstance(policy, DTypePolicy) else DTypePolicy(policy)
    precision = wanted.precision
    if precision in ("16-mixed", "16-true") and not (take_inventory().gpus or torch.backends.mps.is_available()):
        warnings.warn(
            f"{wanted.name} needs a GPU; this machine computes in float32. On a CPU 'mixed_bfloat16' may be faster.",
            stacklevel=2,
        )
        precision = None
    set_policy_precision(precision)
    make_current(wanted)


global_policy = dtype_policy
set_global_policy = set_policy = set_dtype_policy
Policy = FloatDTypePolicy = DTypePolicy


__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip
