"""The global dtype policy, which is the precision that fit, evaluate and predict use by default.

Keras gives the policy to layers as they are made; Lightning's precision belongs to the call. So "mixed_float16" is
Lightning's "16-mixed", and so on.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

from scene_lightning.layers.base.policy import DTypePolicy, dtype_policy, make_current
from scene_lightning.optimizers import LossScaleOptimizer
from scene_lightning.training.devices import set_policy_precision, take_inventory


def set_dtype_policy(policy: Any) -> None:
    """Choose the precision that fit, evaluate and predict use by default.

    "mixed_float16" without a GPU computes in float32, with a warning, so that the same program runs there too.

    Args:
        policy: name ("float32", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64") or a
            `DTypePolicy`.

    Raises:
        InputError: an unknown name.
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
