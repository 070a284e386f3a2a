"""`tf.random`: torch's global generator. TensorFlow: `tf.random`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, sides
from scene_lightning.errors import InputError


def set_seed(seed: int) -> None:
    """Seeds torch, on every device; `keras.utils.set_random_seed` seeds Python and NumPy as well.

    Args:
        seed: a whole number.
    """
    torch.manual_seed(int(seed))


set_random_seed = set_seed


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None, name: Any = None
) -> torch.Tensor:
    """Draws normally distributed numbers.

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        mean, stddev: the distribution's mean and deviation.
        dtype: a float one.
        seed, name: for TensorFlow's sake, without effect.
    """
    return torch.randn(sides(shape), dtype=as_dtype(dtype)) * stddev + mean


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None, name: Any = None
) -> torch.Tensor:
    """Draws normally distributed numbers within two deviations.

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        mean, stddev: the distribution's mean and deviation.
        dtype: a float one.
        seed, name: for TensorFlow's sake, without effect.
    """
    made = torch.empty(sides(shape), dtype=as_dtype(dtype))
    return torch.nn.init.trunc_normal_(made, mean, stddev, mean - 2 * stddev, mean + 2 * stddev)


def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: Any = None, name: Any = None
) -> torch.Tensor:
    """Draws equally likely numbers in [minval, maxval).

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        minval: the lower end.
        maxval: the upper end; None for 1, and not for whole numbers.
        dtype: of the result; an integer one draws whole numbers.
        seed, name: for TensorFlow's sake, without effect.
    """
    kind = as_dtype(dtype)
    if kind.is_floating_point:
        high = 1 if maxval is None else maxval
        return torch.rand(sides(shape), dtype=kind) * (high - minval) + minval
    if maxval is None:
        raise InputError("tf.random.uniform needs maxval for an integer dtype.")
    return torch.randint(int(minval), int(maxval), sides(shape), dtype=kind)


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> torch.Tensor:
    """Draws equally likely whole numbers in [minval, maxval).

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        minval, maxval: the ends.
        dtype: an integer one.
        seed: for TensorFlow's sake, without effect.
    """
    return uniform(shape, minval, maxval, dtype)


def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """Puts the first axis in random order.

    Args:
        value: tensor, array, list or number.
        seed, name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(value)
    order = torch.randperm(len(x))
    return x[order.numpy()] if not isinstance(x, torch.Tensor) else x[order]


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: Any = None, **_: Any) -> torch.Tensor:
    """Draws class numbers, (batch, num_samples).

    Args:
        logits: (batch, classes), the logarithms of the classes' weights.
        num_samples: how many for each row.
        dtype: of the result.
        seed, **_: for TensorFlow's sake, without effect.
    """
    return torch.multinomial(torch.softmax(as_tensor(logits), -1), num_samples, True).to(as_dtype(dtype))


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = "float32", seed: Any = None, name: Any = None
) -> torch.Tensor:
    """Draws gamma-distributed numbers: `shape` of them for each pair of alpha and beta.

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        alpha: the concentration.
        beta: the rate; None for 1.
        dtype: a float one.
        seed, name: for TensorFlow's sake, without effect.
    """
    kind = as_dtype(dtype)
    concentration = as_tensor(alpha, kind)
    rate = torch.ones_like(concentration) if beta is None else as_tensor(beta, kind)
    return torch.distributions.Gamma(*torch.broadcast_tensors(concentration, rate)).sample(sides(shape))


def poisson(shape: Any, lam: Any, dtype: Any = "float32", seed: Any = None, name: Any = None) -> torch.Tensor:
    """Draws Poisson-distributed counts: `shape` of them for each rate.

    Args:
        shape: sides of the result: a list, tuple, tensor or one number.
        lam: the rate.
        dtype: of the result.
        seed, name: for TensorFlow's sake, without effect.
    """
    rate = as_tensor(lam, torch.float32)
    return torch.poisson(rate.expand(*sides(shape), *rate.shape)).to(as_dtype(dtype))


@contextmanager
def _seeded(seed: Any) -> Iterator[None]:
    """Within the block torch's generator starts from the numbers of `seed`; afterwards it goes on where it was."""
    numbers = [int(number) for number in as_tensor(seed).reshape(-1)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sum(number * 1_000_003**power for power, number in enumerate(numbers)) % 2**63)
        yield


def split(seed: Any, num: int = 2, alg: Any = None) -> torch.Tensor:
    """Makes new seeds for the stateless functions, (num, 2).

    Args:
        seed: two whole numbers.
        num: how many new ones.
        alg: for TensorFlow's sake, without effect.
    """
    with _seeded(seed):
        return torch.randint(0, 2**31, (int(num), 2))


def _stateless(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(shape: Any, seed: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        with _seeded(seed):
            return function(shape, *args, **kwargs)

    call.__doc__ = f"{function.__doc__} The same for the same two numbers of `seed`."
    return call


stateless_normal, stateless_uniform, stateless_truncated_normal, stateless_gamma = (
    _stateless(function) for function in (normal, uniform, truncated_normal, gamma)
)


class Generator:
    """Random numbers from a generator of its own. TensorFlow: `tf.random.Generator`.

    Args:
        seed: a whole number.
    """

    def __init__(self, seed: int) -> None:
        self._torch = torch.Generator().manual_seed(seed)

    @classmethod
    def from_seed(cls, seed: int, alg: Any = None) -> Generator:
        """Makes a generator that starts at a seed."""
        return cls(int(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """Makes a generator that starts at a random seed."""
        return cls(torch.seed())

    def uniform(self, shape: Any, minval: float = 0, maxval: float = 1, dtype: Any = "float32") -> torch.Tensor:
        """Draws equally likely numbers in [minval, maxval)."""
        return torch.rand(sides(shape), generator=self._torch, dtype=as_dtype(dtype)) * (maxval - minval) + minval

    def uniform_full_int(self, shape: Any, dtype: Any = "uint64", name: Any = None) -> torch.Tensor:
        """Draws equally likely whole numbers (of int64's positive half)."""
        return torch.randint(0, 2**63 - 1, sides(shape), generator=self._torch, dtype=torch.int64)

    def make_seeds(self, count: int = 1) -> torch.Tensor:
        """Draws seeds for the stateless functions, (2, count)."""
        return torch.randint(0, 2**31, (2, int(count)), generator=self._torch)

    def normal(self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32") -> torch.Tensor:
        """Draws normally distributed numbers."""
        return torch.randn(sides(shape), generator=self._torch, dtype=as_dtype(dtype)) * stddev + mean
