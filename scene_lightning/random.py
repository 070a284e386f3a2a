"""A shape and a seed in; random tensors out. Keras: `keras.random`.

A whole number as seed gives the same numbers at every call, a `SeedGenerator` new ones, None torch's own generator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning._unsupported import lookup
from scene_lightning.errors import InputError
from scene_lightning.layers.base.seeds import SeedStream
from scene_lightning.ops import convert_to_tensor


class SeedGenerator:
    """A source of seeds: each draw with it gives new numbers, in an order that `seed` fixes. Keras: `SeedGenerator`."""

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0):
            raise InputError(f"`seed` must be a whole number from 0 on, or None. Received: seed={seed!r}")
        self.seed = int(torch.randint(2**31, ()).item()) if seed is None else int(seed)
        self.name = name or "seed_generator"
        self._stream = SeedStream(self.seed)

    def next(self, ordered: bool = True) -> torch.Generator | None:
        """The generator of the next draw."""
        return self._stream.next(torch.device("cpu"))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


def _generator(seed: Any) -> torch.Generator | None:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    return SeedStream(seed).next(torch.device("cpu"))


def _sides(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int) else tuple(int(n) for n in shape)


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers."""
    return torch.randn(_sides(shape), generator=_generator(seed), dtype=torch_dtype(dtype)) * stddev + mean


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers within two standard deviations."""
    made = torch.empty(_sides(shape), dtype=torch_dtype(dtype))
    low, high = mean - 2 * stddev, mean + 2 * stddev
    return torch.nn.init.trunc_normal_(made, mean, stddev, low, high, generator=_generator(seed))


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Equally likely numbers from `minval` to below `maxval`."""
    kind = torch_dtype(dtype)
    if not kind.is_floating_point:
        return randint(shape, int(minval), int(maxval), dtype, seed)
    return torch.rand(_sides(shape), generator=_generator(seed), dtype=kind) * (maxval - minval) + minval


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Equally likely whole numbers from `minval` to below `maxval`."""
    return torch.randint(minval, maxval, _sides(shape), generator=_generator(seed)).to(torch_dtype(dtype or "int32"))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """(N, classes) of logits → (N, num_samples) of class numbers."""
    odds = torch.softmax(convert_to_tensor(logits), dim=-1).cpu()
    return torch.multinomial(odds, num_samples, True, generator=_generator(seed)).to(torch_dtype(dtype))


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """How many of `counts` tries succeed."""
    sides = _sides(shape)
    tries = convert_to_tensor(counts, "float32").expand(sides)
    odds = convert_to_tensor(probabilities, "float32").expand(sides)
    return torch.binomial(tries.contiguous(), odds.contiguous(), generator=_generator(seed)).to(torch_dtype(dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Tensor:
    """x with the entries of an axis in random order."""
    values = convert_to_tensor(x)
    order = torch.randperm(values.shape[axis], generator=_generator(seed)).to(values.device)
    return torch.index_select(values, axis, order)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """`inputs` with a share `rate` of its values at 0 and the rest ÷ (1 − rate)."""
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

__getattr__ = lookup(__name__, __all__, {"Draw from torch.distributions": "beta gamma"})
