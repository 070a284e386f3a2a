"""Holds the process-wide settings (float type, epsilon, image layout) and the old `keras.backend` value helpers.

Keras: `keras.config` and `keras.backend`.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from scene_lightning._naming import auto_name, reset_names
from scene_lightning._processors import usable_processors
from scene_lightning.errors import InputError, UnsupportedError

__all__ = [
    "backend", "batch_get_value", "batch_set_value", "cast_to_floatx", "clear_session", "count_params", "epsilon",
    "eval", "floatx", "get_uid", "get_value", "image_data_format", "image_dim_ordering", "int_shape",
    "is_float_dtype", "is_int_dtype", "learning_phase", "ndim", "reset_uids", "result_type", "set_epsilon",
    "set_floatx", "set_image_data_format", "set_image_dim_ordering", "set_learning_phase", "set_value",
    "standardize_dtype",
]  # fmt: skip
# OpenMP, and so torch, does not know of a container's quota; who sets the variable knows better.
if "OMP_NUM_THREADS" not in os.environ and usable_processors() < torch.get_num_threads():
    torch.set_num_threads(usable_processors())

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
DType = str | torch.dtype | None  # what is taken as a dtype; None: `floatx()`
_values: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "learning_phase": None,
}


def floatx() -> str:
    """Return the default float type, such as "float32"."""
    return _values["floatx"]


def set_floatx(value: str) -> None:
    """Set the default float type.

    Args:
        value: "bfloat16", "float16", "float32" or "float64".
    """
    if value not in _DTYPES:
        raise InputError(f"Unknown floatx {value!r}. Expected one of {sorted(_DTYPES)}.")
    _values["floatx"] = value


def dtype_name(dtype: Any) -> str:
    """The name of a dtype in any of its spellings.

    Args:
        dtype: a name, torch's or NumPy's dtype, a policy, or a policy's config from a file.
    """
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name", "float32")
    return {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}.get(name := standardize_dtype(dtype), name)


def torch_dtype(dtype: Any = None) -> torch.dtype:
    """Return torch's dtype of a name.

    Args:
        dtype: name such as "int64", or torch's dtype; None: `floatx()`.

    Raises:
        InputError: torch has no dtype of that name.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    kind = getattr(torch, dtype_name(dtype), None)
    if not isinstance(kind, torch.dtype):
        raise InputError(f"Unknown dtype {dtype!r}. Expected a name such as 'float32' or 'int64'.")
    return kind


def as_float(x: torch.Tensor) -> torch.Tensor:
    """Whole numbers as floats, in `floatx()` or the run's dtype ("64-true"); floating-point tensors as they are.

    Args:
        x: the tensor.
    """
    if x.is_floating_point() or x.is_complex():
        return x
    run_dtype = torch.get_default_dtype()
    return x.to(torch_dtype() if run_dtype == torch.float32 else run_dtype)


def epsilon() -> float:
    """Return the small number that keeps logarithms and roots finite, 1e-7 unless set."""
    return _values["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the small number that keeps logarithms and roots finite.

    Args:
        value: the number.
    """
    _values["epsilon"] = float(value)


def image_data_format() -> str:
    """Return the layout of images that layers take by default: "channels_last" or "channels_first"."""
    return _values["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the layout of images that layers take by default.

    Args:
        data_format: "channels_last" or "channels_first".
    """
    if data_format not in ("channels_last", "channels_first"):
        raise InputError(f"Expected 'channels_last' or 'channels_first'; received {data_format!r}.")
    _values["image_data_format"] = data_format


def image_dim_ordering() -> str:
    """Return the layout of images in Keras 1's words: "tf" (channels last) or "th" (channels first)."""
    return "tf" if image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(ordering: str) -> None:
    """Set the layout of images in Keras 1's words.

    Args:
        ordering: "tf" (channels last) or "th" (channels first).
    """
    formats = {"tf": "channels_last", "th": "channels_first"}
    if ordering not in formats:
        raise InputError(f"Expected 'tf' or 'th'; received {ordering!r}.")
    set_image_data_format(formats[ordering])


def backend() -> str:
    """Return the name of the engine: "torch"."""
    return "torch"


def set_learning_phase(value: int | bool) -> None:
    """Set whether models called without `training=` behave as in training or in inference.

    Args:
        value: 1 for training, 0 for inference.
    """
    if value not in (0, 1):
        raise InputError(f"The learning phase is 0 (inference) or 1 (training); received {value!r}.")
    _values["learning_phase"] = bool(value)


def learning_phase() -> int:
    """Return the learning phase that `set_learning_phase` set, as 0 or 1; 0 when none was set."""
    return int(bool(_values["learning_phase"]))


def forced_learning_phase() -> bool | None:
    """What `set_learning_phase` forced, or None when it was never called."""
    return _values["learning_phase"]


def clear_session(free_memory: bool = True) -> None:
    """Forget names and a learning phase that was set, so that a new model's layers begin at "conv2d" again.

    Args:
        free_memory: whether torch gives back the GPU memory that it keeps in store.
    """
    reset_names()
    _values["learning_phase"] = None
    if free_memory and torch.cuda.is_available():
        torch.cuda.empty_cache()


def reset_uids() -> None:
    """Restart the counters of automatic names."""
    reset_names()


def get_uid(prefix: str = "") -> str:
    """Return the next free automatic name, such as "conv2d_1".

    Args:
        prefix: the name without its number, or a class name.
    """
    return auto_name(prefix)


def get_value(x: Any) -> Any:
    """Return the value of a variable or tensor as a NumPy array.

    Args:
        x: variable or tensor; anything else is returned as it is.
    """
    if isinstance(x, torch.Tensor):
        return x.detach().cpu().numpy()
    return x.numpy() if hasattr(x, "numpy") else x


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Write a value into a variable, in place: `K.set_value(model.optimizer.lr, 1e-4)`.

    Args:
        x: variable or parameter.
        value: array-like of its shape.

    Raises:
        InputError: `x` is no variable, such as the rate of an optimizer with a schedule.
    """
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
    """Return the values of several variables as NumPy arrays.

    Args:
        tensors: the variables.
    """
    return [get_value(tensor) for tensor in tensors]


def batch_set_value(tuples: list[tuple[Any, Any]]) -> None:
    """Write values into several variables.

    Args:
        tuples: pairs of (variable, value).
    """
    for variable, value in tuples:
        set_value(variable, value)


def cast_to_floatx(x: Any) -> Any:
    """Convert an array or tensor to the default float type.

    Args:
        x: tensor, or array-like, which becomes a NumPy array.
    """
    if isinstance(x, torch.Tensor):
        return x.to(torch_dtype())
    if floatx() == "bfloat16":
        raise UnsupportedError("NumPy has no bfloat16: use torch.as_tensor(x, dtype=torch.bfloat16).")
    return np.asarray(x, dtype=floatx())


def int_shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape of a tensor as a tuple, with None for sides that are not known.

    Args:
        x: tensor or array-like.
    """
    return tuple(x.shape)


def ndim(x: Any) -> int:
    """Return the number of axes of a tensor.

    Args:
        x: tensor or array-like.
    """
    return len(x.shape)


def count_params(x: Any) -> int:
    """Return the number of values of a weight.

    Args:
        x: variable or tensor.
    """
    return int(np.prod(tuple(x.shape)))


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype: `torch.float32`, `np.float32` and `float` are "float32".

    Args:
        dtype: name, torch's or NumPy's dtype, or Python's type; None: `floatx()`.
    """
    if dtype is None or dtype is float:
        return floatx()
    if dtype is int or dtype is bool:
        return "int32" if dtype is int else "bool"
    return str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype).removeprefix("torch.")


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is one of floating-point numbers.

    Args:
        dtype: name, or torch's or NumPy's dtype.
    """
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is one of whole numbers.

    Args:
        dtype: name, or torch's or NumPy's dtype.
    """
    return standardize_dtype(dtype).startswith(("int", "uint"))


def result_type(*dtypes: Any) -> str:
    """Return the dtype to which torch promotes several dtypes.

    Args:
        *dtypes: names, or torch's or NumPy's dtypes.
    """
    promoted = torch_dtype(standardize_dtype(dtypes[0] if dtypes else None))
    for dtype in dtypes[1:]:
        promoted = torch.promote_types(promoted, torch_dtype(standardize_dtype(dtype)))
    return standardize_dtype(promoted)
