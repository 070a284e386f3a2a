"""Draws uniform numbers and permutations as pure functions of (seed, epoch, sample index).

A counter-based generator: nothing is stored, so any worker, device or resumed run gets the same numbers for the
same sample, and no number depends on how many were drawn before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# SplitMix64 (Steele, Lea & Flood, 2014, "Fast splittable pseudorandom number generators"): increment and mixers.
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: every input bit changes every output bit with probability one half."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def _key(seed: int, epoch: int) -> np.uint64:
    """One 64-bit key for an epoch of a seed."""
    state = np.array([seed & _MASK], dtype=np.uint64)
    state = _mix(state + np.uint64(_GOLDEN))
    return _mix((state ^ np.uint64(epoch & _MASK)) + np.uint64(_GOLDEN))[0]


def uniforms(seed: int, epoch: int, indices: NDArray[np.int64], how_many: int) -> NDArray[np.float64]:
    """`how_many` numbers in [0, 1) for each sample index.

    Args:
        seed: any integer.
        epoch: counted from 0.
        indices: (N,) sample indices.
        how_many: numbers a sample.

    Returns:
        (N, how_many) float64; row i depends on (seed, epoch, indices[i]) alone, and its first k numbers do not
        depend on `how_many`.
    """
    samples = np.asarray(indices, dtype=np.int64).astype(np.uint64)
    rows = _mix((samples * np.uint64(_GOLDEN)) ^ _key(seed, epoch))
    columns = np.arange(1, how_many + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mix(rows[:, None] + columns[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Draw the order in which `epoch` reads `n` samples: (n,), a function of the arguments alone.

    Args:
        seed: any integer.
        epoch: counted from 0.
        n: how many samples.
    """
    return np.random.Generator(np.random.Philox(key=int(_key(seed, epoch)))).permutation(n)
