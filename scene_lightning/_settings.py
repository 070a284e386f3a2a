"""Holds the process-wide settings (float type, epsilon, image layout) and the old `keras.backend` value helpers.

Keras: `keras.config` and `keras.backend`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning._naming import auto_name, reset_names
from scene_lightning.errors import InputError, UnsupportedError

__all__ = [
    "backend", "batch_get_value", "batch_set_value", "cast_to_floatx", "clear_session", "count_params", "epsilon",
    "eval", "floatx", "get_uid", "get_value", "image_data_format", "image_dim_ordering", "int_shape",
    "is_float_dtype", "is_int_dtype", "learning_phase", "ndim", "reset_uids", "result_type", "set_epsilon",
    "set_floatx", "set_image_data_format", "set_image_dim_ordering", "set_learning_phase", "set_value",
    "standardize_dtype",
]  # fmt: skip
_DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
DType = str | torch.dtype | None  # what is taken as a dtype; None: `floatx()`
_values: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "learning_phase": None,
}


def floatx() -> str:
    """The default float type, as a string. Keras: `keras.config.floatx`."""
    return _values["floatx"]


def set_floatx(value: str) -> None:
    """Set the default float type: 'bfloat16', 'float16', 'float32' or 'float64'."""
    if value not in _DTYPES:
        raise InputError(f"Unknown floatx {value!r}. Expected one of {sorted(_DTYPES)}.")
    _values["floatx"] = value


def torch_dtype(dtype: DType = None) -> torch.dtype:
    """A dtype name (None: `floatx()`) → torch's dtype."""
    if isinstance(dtype, torch.dtype):
        return dtype
    name = str(dtype or floatx()).removeprefix("torch.")
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise InputError(f"Unknown dtype {dtype!r}. Expected a name such as 'float32' or 'int64'.")
    return found


def epsilon() -> float:
    """The small number that keeps logarithms finite (1e-7). Keras: `keras.config.epsilon`."""
    return _values["epsilon"]


def set_epsilon(value: float) -> None:
    """Set `epsilon()`."""
    _values["epsilon"] = float(value)


def image_data_format() -> str:
    """'channels_last' or 'channels_first': the default of layers that take `data_format`."""
    return _values["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the default `data_format`."""
    if data_format not in ("channels_last", "channels_first"):
        raise InputError(f"Expected 'channels_last' or 'channels_first'; received {data_format!r}.")
    _values["image_data_format"] = data_format


def image_dim_ordering() -> str:
    """Keras 1's name for `image_data_format`: 'tf' or 'th'."""
    return "tf" if image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(ordering: str) -> None:
    """Keras 1's `set_image_data_format`: 'tf' is channels_last, 'th' is channels_first."""
    formats = {"tf": "channels_last", "th": "channels_first"}
    if ordering not in formats:
        raise InputError(f"Expected 'tf' or 'th'; received {ordering!r}.")
    set_image_data_format(formats[ordering])


def backend() -> str:
    """The engine's name: always 'torch' here."""
    return "torch"


def set_learning_phase(value: int | bool) -> None:
    """Make every model call without an explicit `training=` behave as training (1) or inference (0)."""
    if value not in (0, 1):
        raise InputError(f"The learning phase is 0 (inference) or 1 (training); received {value!r}.")
    _values["learning_phase"] = bool(value)


def learning_phase() -> int:
    """The phase set by `set_learning_phase`, as 0 or 1 (0 when none was set)."""
    return int(bool(_values["learning_phase"]))


def forced_learning_phase() -> bool | None:
    """What `set_learning_phase` forced, or None when it was never called."""
    return _values["learning_phase"]


def clear_session(free_memory: bool = True) -> None:
    """Start layer names again from `conv2d`, forget a forced learning phase and, if asked, free cached memory."""
    reset_names()
    _values["learning_phase"] = None
    if free_memory and torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_uids() -> None:
    """Keras 1's name for restarting the name counters."""
    reset_names()


def get_uid(prefix: str = "") -> str:
    """The next free automatic name for `prefix`."""
    return auto_name(prefix)


def get_value(x: Any) -> Any:
    """A variable or tensor → NumPy; anything else is returned as it is. Keras: `K.get_value`."""
    if isinstance(x, torch.Tensor):
        return x.detach().cpu().numpy()
    return x.numpy() if hasattr(x, "numpy") else x


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Write `value` into a variable or parameter, in place. Keras: `K.set_value(model.optimizer.lr, 1e-4)`."""
    if isinstance(x, torch.Tensor):
        with torch.no_grad():
            x.copy_(torch.as_tensor(value, dtype=x.dtype))
    elif hasattr(x, "assign"):
        x.assign(value)
    else:
        raise InputError(
            f"set_value() needs a variable; received {type(x).__name__}. For an optimizer with a schedule the "
            "learning rate cannot be set: pass a float learning_rate."
        )


def batch_get_value(tensors: list[Any]) -> list[Any]:
    """`get_value` of each."""
    return [get_value(tensor) for tensor in tensors]


def batch_set_value(tuples: list[tuple[Any, Any]]) -> None:
    """`set_value` for each (variable, value)."""
    for variable, value in tuples:
        set_value(variable, value)


def cast_to_floatx(x: Any) -> Any:
    """An array or tensor in `floatx()`."""
    if isinstance(x, torch.Tensor):
        return x.to(torch_dtype())
    if floatx() == "bfloat16":
        raise UnsupportedError("NumPy has no bfloat16: use torch.as_tensor(x, dtype=torch.bfloat16).")
    return np.asarray(x, dtype=floatx())


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape as a tuple of ints (None where unknown)."""
    return tuple(x.shape)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape)


def count_params(x: Any) -> int:
    """The number of elements of a weight."""
    return int(np.prod(tuple(x.shape)))


def standardize_dtype(dtype: Any) -> str:
    """`torch.float32`, `np.float32`, `float`, … → "float32". Keras: `keras.backend.standardize_dtype`."""
    if dtype is None or dtype is float:
        return floatx()
    if dtype in (int, bool):
        return "int32" if dtype is int else "bool"
    return str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype).removeprefix("torch.")


def is_float_dtype(dtype: Any) -> bool:
    """Whether it is a floating-point type."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether it is a type of whole numbers."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def result_type(*dtypes: Any) -> str:
    """What torch promotes these types to."""
    found = torch_dtype(standardize_dtype(dtypes[0] if dtypes else None))
    for dtype in dtypes[1:]:
        found = torch.promote_types(found, torch_dtype(standardize_dtype(dtype)))
    return standardize_dtype(found)
