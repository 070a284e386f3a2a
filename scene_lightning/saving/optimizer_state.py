"""Brings an optimiser's variables, as any Keras saved them, to Keras 3's order.

Keras 3: iteration, learning_rate (unless a schedule), then per weight all its slots.
tf.keras 2.11 and later: the same without learning_rate. Keras up to 2.10: iter, all first slots, all second slots, …
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning.errors import FileFormatError
from scene_lightning.saving.archive import OptimizerState

# Up to 2.10, Keras named slots "<…>/<weight>/m:0". Interleaved in Keras 3: Adam's pair, not what was added later.
_LEGACY_SLOTS = ("m", "v", "vhat", "momentum", "rms", "mg", "accumulator", "accum_grad", "accum_var", "linear")
_INTERLEAVED = {"adam", "adamw", "nadam", "adamax", "adadelta", "ftrl"}
_PAIR = 2


def from_keras3_variables(variables: list[np.ndarray], compile_config: dict[str, Any] | None) -> OptimizerState | None:
    """Make the state from variables of a structural file (`optimizer/vars/0…`). None for an optimizer never stepped.

    Args:
        variables: in the file's order.
        compile_config: Keras 3's, or None; it says whether the rate is a schedule.
    """
    if not variables:
        return None
    if variables[0].shape != () or variables[0].dtype.kind not in "iuf":
        raise FileFormatError(
            f"the optimiser's first variable should be its iteration count; received shape {variables[0].shape}."
        )
    rest = variables[1:]
    rate: float | None = None
    if rest and rest[0].shape == () and rest[0].dtype.kind == "f" and not isinstance(_rate_of(compile_config), dict):
        rate, rest = float(rest[0]), rest[1:]
    return OptimizerState(_count(variables[0]), _configured_rate(compile_config) if rate is None else rate, rest)


def from_named_variables(
    names: list[str], variables: list[np.ndarray], compile_config: dict[str, Any] | None
) -> OptimizerState | None:
    """Make the state from the named variables of a legacy `.h5`, whatever the era.

    Args:
        names: one a variable, such as "Adam/conv2d/kernel/m:0".
        variables: in the file's order.
        compile_config: Keras 3's, or None; it says which optimizer it is.

    Raises:
        FileFormatError: the first variable is no count, or slots do not come in equal numbers.
    """
    if not variables:
        return None
    first = names[0].split(":")[0].rsplit("/", 1)[-1]
    if first == "iteration" or (len(names) > 1 and names[1].split(":")[0].endswith("/learning_rate")):
        return from_keras3_variables(variables, compile_config)
    if variables[0].shape != ():
        raise FileFormatError("the optimiser's first weight should be its iteration count.")
    slots = _regroup(names[1:], variables[1:], _optimizer_name(compile_config))
    return OptimizerState(_count(variables[0]), _configured_rate(compile_config), slots)


def _regroup(names: list[str], arrays: list[np.ndarray], optimizer: str) -> list[np.ndarray]:
    """All first slots, then all second ones → the two of each weight side by side, where Keras 3 has them so."""
    kinds: dict[str, list[np.ndarray]] = {}
    for name, array in zip(names, arrays, strict=True):
        kind = name.split(":")[0].rsplit("/", 1)[-1]
        if kind not in _LEGACY_SLOTS:
            return _regroup_unnamed(arrays, optimizer)
        kinds.setdefault(kind, []).append(array)
    groups = list(kinds.values())
    if len({len(group) for group in groups}) > 1:
        counts = ", ".join(f"{len(group)} of {kind}" for kind, group in kinds.items())
        raise FileFormatError(f"the optimiser's slots come in unequal numbers: {counts}.")
    return _interleaved(groups, optimizer)


def _regroup_unnamed(arrays: list[np.ndarray], optimizer: str) -> list[np.ndarray]:
    """Keras up to 2.3 called every slot `Variable_7`; only the order tells. Adam ended with dummies of shape (1,)."""
    if optimizer not in _INTERLEAVED:
        return arrays
    count = len(arrays) // 3
    has_third = len(arrays) % 3 == 0 and all(
        a.shape == b.shape and (c.shape == a.shape or c.shape == (1,))
        for a, b, c in zip(arrays[:count], arrays[count : 2 * count], arrays[2 * count :], strict=True)
    )
    if not has_third:
        count = len(arrays) // 2
        groups = [arrays[:count], arrays[count:]]
        return _interleaved(groups, optimizer) if len(arrays) % 2 == 0 else arrays
    groups = [arrays[:count], arrays[count : 2 * count]]
    maxima = arrays[2 * count :]
    if all(last.shape == first.shape for last, first in zip(maxima, arrays[:count], strict=True)):
        groups.append(maxima)
    return _interleaved(groups, optimizer)


def _interleaved(groups: list[list[np.ndarray]], optimizer: str) -> list[np.ndarray]:
    if optimizer not in _INTERLEAVED or len(groups) < _PAIR:
        return [array for group in groups for array in group]
    side_by_side = [array for pair in zip(*groups[:_PAIR], strict=True) for array in pair]
    return side_by_side + [array for group in groups[_PAIR:] for array in group]


def _optimizer_config(compile_config: dict[str, Any] | None) -> dict[str, Any]:
    optimizer = (compile_config or {}).get("optimizer")
    return optimizer if isinstance(optimizer, dict) else {}


def _optimizer_name(compile_config: dict[str, Any] | None) -> str:
    return str(_optimizer_config(compile_config).get("class_name", "")).split(">")[-1].lower()


def _rate_of(compile_config: dict[str, Any] | None) -> Any:
    """The learning rate in the config, where Keras 2 alone kept it: a number, the dict of a schedule, or None."""
    config = _optimizer_config(compile_config).get("config")
    return config.get("learning_rate") if isinstance(config, dict) else None


def _configured_rate(compile_config: dict[str, Any] | None) -> float | None:
    rate = _rate_of(compile_config)
    return float(rate) if isinstance(rate, int | float) else None


def _count(value: np.ndarray) -> int:
    number = float(value)
    if not 0 <= number < 2**62:
        raise FileFormatError(f"the optimiser's iteration count is {number}; expected 0 or more.")
    return int(value)
