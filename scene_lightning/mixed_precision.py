"""A dtype policy's name in; the precision that verbs use when they are not told out. Keras: `keras.mixed_precision`.

Keras gives the policy to layers as they are made; Lightning's precision belongs to the verb. So the global policy is
the default `precision` of fit, evaluate and predict: "mixed_float16" is Lightning's "16-mixed", and so on.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

from scene_lightning.backend import floatx
from scene_lightning.errors import InputError
from scene_lightning.optimizers import LossScaleOptimizer
from scene_lightning.training.devices import set_policy_precision, take_inventory

# policy → compute dtype, variable dtype, precision of the verbs
_POLICIES: dict[str, tuple[str, str, str | None]] = {
    "float32": ("float32", "float32", None),
    "mixed_float16": ("float16", "float32", "16-mixed"),
    "mixed_bfloat16": ("bfloat16", "float32", "bf16-mixed"),
    "float64": ("float64", "float64", "64-true"),
    "bfloat16": ("bfloat16", "bfloat16", "bf16-true"),
    "float16": ("float16", "float16", "16-true"),
}


class DTypePolicy:
    """What is computed in which dtype. Keras: `keras.mixed_precision.DTypePolicy` (`Policy` in Keras 2).

    Args:
        name: "float32", "mixed_float16", "mixed_bfloat16", "float64", "bfloat16" or "float16".
    """

    def __init__(self, name: str | None = None, **_: Any) -> None:
        name = floatx() if name is None else name
        if name not in _POLICIES:
            raise InputError(f"Cannot convert {name!r} to a dtype policy. Expected one of {', '.join(_POLICIES)}.")
        self.name = name
        self.compute_dtype, self.variable_dtype, self.precision = _POLICIES[name]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


_current: list[DTypePolicy | None] = [None]


def dtype_policy() -> DTypePolicy:
    """The global policy. Keras: `keras.config.dtype_policy`, `mixed_precision.global_policy`."""
    return _current[0] or DTypePolicy(floatx())


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
    _current[0] = wanted


global_policy = dtype_policy
set_global_policy = set_policy = set_dtype_policy
Policy = FloatDTypePolicy = DTypePolicy


__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip
