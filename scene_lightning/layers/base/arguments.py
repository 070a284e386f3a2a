"""Checks arguments of layers and brings each into one form, with errors in Keras' words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning._registry import did_you_mean
from scene_lightning._settings import image_data_format
from scene_lightning.errors import InputError


def int_tuple(value: Any, n: int, name: str, *, allow_zero: bool = False) -> tuple[int, ...]:
    """One int a side: `2` and `(2, 2)` give `(2, 2)`. Raises InputError for other lengths or values.

    Args:
        value: an int, or as many as `n`.
        n: number of sides.
        name: the argument's name, for messages.
        allow_zero: whether 0 is in range, not only 1 and more.
    """
    if isinstance(value, int):
        values: tuple[Any, ...] = (value,) * n
    else:
        try:
            values = tuple(value)
        except TypeError:
            values = ()
    if len(values) != n or any(not _is_integral(v) for v in values):
        raise InputError(f"The `{name}` argument must be a tuple of {n} integers. Received {name}={value}")
    numbers = tuple(int(v) for v in values)
    least = 0 if allow_zero else 1
    wrong = {v for v in numbers if v < least}
    if wrong:
        raise InputError(
            f"The `{name}` argument must be a tuple of {n} integers. Received {name}={value}, including values {wrong} "
            f"that do not satisfy `value {'>= 0' if allow_zero else '> 0'}`"
        )
    return numbers


def _is_integral(value: Any) -> bool:
    try:
        return int(value) == value
    except (TypeError, ValueError):
        return False


def pairs(value: Any, n: int, name: str) -> tuple[tuple[int, int], ...]:
    """Pairs (before, after), one a side, from `1`, `(1, 2)` or `((1, 1), (2, 2))`.

    Args:
        value: what a user gave.
        n: number of sides.
        name: the argument's name, for messages.
    """
    if isinstance(value, int):
        value = (value,) * n
    if n == 1 and len(value) == 2 and all(isinstance(v, int) for v in value):
        value = (value,)
    if not isinstance(value, Sequence) or len(value) != n:
        raise InputError(f"`{name}` should be an int or have {n} elements. Received: {name}={value!r}")
    return tuple(
        (item, item) if isinstance(item, int) else _pair(int_tuple(item, 2, name, allow_zero=True)) for item in value
    )


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def one_of(value: Any, allowed: Sequence[Any], name: str, layer: str) -> Any:
    """`value` if allowed. Raises InputError naming what is, and the nearest.

    Args:
        value: what a user gave.
        allowed: the values that it may have.
        name: the argument's name, for messages.
        layer: the layer's class, for messages.
    """
    if value not in allowed:
        hint = did_you_mean(value, [a for a in allowed if isinstance(a, str)]) if isinstance(value, str) else ""
        raise InputError(
            f"Invalid `{name}` argument for {layer}. Expected one of {tuple(allowed)}. "
            f"Received: {name}={value!r}.{hint}"
        )
    return value


def padding_name(value: Any, *, allow_causal: bool = False) -> str:
    """The name of a padding in lower case. Raises InputError for an unknown one.

    Args:
        value: "valid" or "same" in any case.
        allow_causal: whether "causal" is allowed, too: for sequences.
    """
    allowed = ("valid", "same", "causal") if allow_causal else ("valid", "same")
    if not isinstance(value, str) or value.lower() not in allowed:
        raise InputError(f"The `padding` argument must be one of {allowed}. Received: padding={value!r}")
    return value.lower()


def layout(value: Any) -> str:
    """The layout that `data_format` means: "channels_last" or "channels_first"; None is the configured default.

    Args:
        value: what a user gave.
    """
    if value is None:
        return image_data_format()
    if str(value).lower() not in ("channels_last", "channels_first"):
        raise InputError(
            "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
            f"Received: data_format={value!r}"
        )
    return str(value).lower()


def positive_int(value: Any, name: str) -> int:
    """A strictly positive integer. Raises InputError otherwise.

    Args:
        value: what a user gave.
        name: the argument's name, for messages.
    """
    if isinstance(value, bool) or not _is_integral(value) or int(value) <= 0:
        raise InputError(
            f"Received an invalid value for `{name}`, expected a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def fraction(value: Any, name: str = "rate") -> float:
    """A number in [0, 1]. Raises InputError otherwise.

    Args:
        value: what a user gave.
        name: the argument's name, for messages.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(
            f"Invalid value received for argument `{name}`. Expected a float value between 0 and 1. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def known_axis(axis: int, shape: Sequence[int | None]) -> int:
    """The size of `axis`. Raises InputError when it is out of bounds or unknown.

    Args:
        axis: number of the axis; negative ones count from the end.
        shape: input shape, batch axis included.
    """
    if not -len(shape) <= axis < len(shape):
        raise InputError(f"Axis {axis} is out of bounds for input shape {tuple(shape)}. Received: axis={axis}")
    size = shape[axis]
    if size is None:
        raise InputError(
            f"Axis {axis} of the input has to have a defined dimension, but it is None. "
            f"Full input shape received: {tuple(shape)}"
        )
    return size


def constant(values: Any, like: torch.Tensor) -> torch.Tensor:
    """Numbers as a tensor where `like` is, in its dtype; a GPU takes the copy in turn, and nobody waits for it.

    Args:
        values: a number, or a list of them to any depth.
        like: the tensor to compute with.
    """
    pin = like.is_cuda and torch.cuda.is_available()  # so that the host need not wait for the copy
    return torch.tensor(values, dtype=like.dtype, device="cpu", pin_memory=pin).to(like.device, non_blocking=True)
