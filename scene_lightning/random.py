"""Draws random tensors: distributions, shuffling, dropout. Keras: `keras.random`.

A whole number as seed gives the same numbers at every call, a `SeedGenerator` new ones, None torch's own generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import Configured
from scene_lightning._settings import DType, torch_dtype
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.errors import InputError
from scene_lightning.layers.base.seeds import SeedStream
from scene_lightning.layers.base.types import Sizes
from scene_lightning.ops import convert_to_tensor


class SeedGenerator(Configured):
    """A source of seeds: each draw with it gives new numbers, in an order that `seed` fixes.

    Args:
        seed: a whole number from 0 on; None: a random one.
        name: name of the generator.
    """

    _arguments = ("seed",)

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0):
            raise InputError(f"`seed` must be a whole number from 0 on, or None. Received: seed={seed!r}")
        self.seed = int(torch.randint(2**31, ()).item()) if seed is None else int(seed)
        self.name = name or "seed_generator"
        self._stream = SeedStream(self.seed)

    def next(self, ordered: bool = True) -> torch.Generator | None:
        """Return the generator of the next draw.

        Args:
            ordered: taken as in Keras.

        Returns:
            A `torch.Generator` on the CPU.
        """
        return self._stream.next(torch.device("cpu"))


def _generator(seed: Any) -> torch.Generator | None:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    return SeedStream(seed).next(torch.device("cpu"))


def _sides(shape: Sizes) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int) else tuple(int(n) for n in shape)


def normal(shape: Sizes, mean: float = 0.0, stddev: float = 1.0, dtype: DType = None, seed: Any = None) -> Tensor:
    """Draw from a normal distribution.

    Args:
        shape: sides of the tensor.
        mean: mean of the distribution.
        stddev: its standard deviation.
        dtype: dtype of the result; None: `floatx()`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    return torch.randn(_sides(shape), generator=_generator(seed), dtype=torch_dtype(dtype)) * stddev + mean


def truncated_normal(
    shape: Sizes, mean: float = 0.0, stddev: float = 1.0, dtype: DType = None, seed: Any = None
) -> Tensor:
    """Draw from a normal distribution, within two standard deviations of its mean.

    Args:
        shape: sides of the tensor.
        mean: mean of the distribution.
        stddev: its standard deviation.
        dtype: dtype of the result; None: `floatx()`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    made = torch.empty(_sides(shape), dtype=torch_dtype(dtype))
    low, high = mean - 2 * stddev, mean + 2 * stddev
    return torch.nn.init.trunc_normal_(made, mean, stddev, low, high, generator=_generator(seed))


def uniform(shape: Sizes, minval: float = 0.0, maxval: float = 1.0, dtype: DType = None, seed: Any = None) -> Tensor:
    """Draw from a uniform distribution.

    Args:
        shape: sides of the tensor.
        minval: lower end.
        maxval: upper end, not included.
        dtype: dtype of the result, a float or a whole number; None: `floatx()`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    kind = torch_dtype(dtype)
    if not kind.is_floating_point:
        return randint(shape, int(minval), int(maxval), dtype, seed)
    return torch.rand(_sides(shape), generator=_generator(seed), dtype=kind) * (maxval - minval) + minval


def randint(shape: Sizes, minval: int, maxval: int, dtype: DType = "int32", seed: Any = None) -> Tensor:
    """Draw whole numbers, all equally likely.

    Args:
        shape: sides of the tensor.
        minval: smallest number.
        maxval: upper end, not included.
        dtype: dtype of the result.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    return torch.randint(minval, maxval, _sides(shape), generator=_generator(seed)).to(torch_dtype(dtype or "int32"))


def categorical(logits: Any, num_samples: int, dtype: DType = "int32", seed: Any = None) -> Tensor:
    """Draw class numbers with the probabilities that logits give.

    Args:
        logits: tensor of (batch, classes).
        num_samples: how many to draw for each row.
        dtype: dtype of the result.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).

    Returns:
        A tensor of (batch, num_samples).
    """
    odds = torch.softmax(convert_to_tensor(logits), dim=-1).cpu()
    return torch.multinomial(odds, num_samples, True, generator=_generator(seed)).to(torch_dtype(dtype))


def binomial(shape: Sizes, counts: Any, probabilities: Any, dtype: DType = None, seed: Any = None) -> Tensor:
    """Draw how many of a number of tries succeed.

    Args:
        shape: sides of the tensor.
        counts: number of tries, a number or a tensor that broadcasts to `shape`.
        probabilities: probability of a success, likewise.
        dtype: dtype of the result; None: `floatx()`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    sides = _sides(shape)
    tries = convert_to_tensor(counts, "float32").expand(sides)
    odds = convert_to_tensor(probabilities, "float32").expand(sides)
    return torch.binomial(tries.contiguous(), odds.contiguous(), generator=_generator(seed)).to(torch_dtype(dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Tensor:
    """Shuffle the entries along an axis.

    Args:
        x: tensor or array-like.
        axis: the axis.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    values = convert_to_tensor(x)
    order = torch.randperm(values.shape[axis], generator=_generator(seed)).to(values.device)
    return torch.index_select(values, axis, order)


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Any = None) -> Tensor:
    """Set a share of the values to 0 and scale the others by 1 / (1 − rate).

    Args:
        inputs: tensor or array-like.
        rate: share to set to 0, from 0 to below 1.
        noise_shape: shape of the mask, with 1 where one decision counts for a whole axis; None: that of `inputs`.
        seed: a whole number (the same numbers at every call), a `SeedGenerator` (new ones), or None (torch's
            generator).
    """
    if not 0 <= rate < 1:
        raise InputError(f"Expected a rate from 0 to below 1; received {rate!r}.")
    x = convert_to_tensor(inputs)
    pattern = [None] * x.ndim if noise_shape is None else noise_shape
    sides = [n if k is None else int(k) for k, n in zip(pattern, x.shape, strict=True)]
    kept = (torch.rand(tuple(sides), generator=_generator(seed)) >= rate).to(x.device)
    return torch.where(kept, x / (1 - rate), torch.zeros_like(x))


__all__ = [
    "SeedGenerator", "binomial", "categorical", "dropout", "normal", "randint", "shuffle",
    "truncated_normal", "uniform",
]  # fmt: skip

explain_missing_names(__name__, __all__)
