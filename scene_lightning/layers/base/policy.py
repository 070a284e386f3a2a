"""Says in which dtype a layer computes and keeps its weights: dtype policies, and the one taken by default."""

from __future__ import annotations

from typing import Any

from scene_lightning._settings import floatx, torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.dtypes import policy_name

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
        loss_scale: of Keras before 2.5; `fit` scales the loss by itself where that is needed.
    """

    def __init__(self, name: str | None = None, loss_scale: Any = None) -> None:
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


def make_current(policy: DTypePolicy) -> None:
    """From here on layers are made with `policy`.

    Args:
        policy: the new global policy.
    """
    _current[0] = policy


class HasPolicy:
    """A layer's policy: the one it was given, or the global one when it was made.

    It is what Keras says of the layer. The speed of a mixed policy is that of the run, which `precision` of the verbs
    or the global policy decides: see `computed_in`.
    """

    _explicit_dtype: str | None
    _made_under: str

    def _init_policy(self, dtype: Any) -> None:
        self._explicit_dtype = None if dtype is None else policy_name(dtype)
        self._made_under = dtype_policy().name

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The dtypes of computation and weights: the policy given, or the global one when the layer was made."""
        name = self._explicit_dtype or self.__dict__.get("_made_under") or floatx()
        if name in _POLICIES:
            return DTypePolicy(name)
        torch_dtype(name)  # whole numbers: a policy without a precision of its own
        policy = DTypePolicy("float32")
        policy.name = policy.compute_dtype = policy.variable_dtype = name
        return policy

    @dtype_policy.setter
    def dtype_policy(self, policy: Any) -> None:
        self._explicit_dtype = policy_name(policy)

    @property
    def compute_dtype(self) -> str:
        """The name of the dtype that the layer computes in, e.g. "float16" under "mixed_float16"."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The name of the dtype of the weights, e.g. "float32" under "mixed_float16"."""
        return self.dtype_policy.variable_dtype

    @property
    def dtype(self) -> Any:
        """The name of the dtype of the weights, as `variable_dtype`."""
        return self.variable_dtype
