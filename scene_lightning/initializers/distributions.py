"""Initializers that draw from a distribution, whose spread may follow from the number of inputs and outputs.

An instance with an integer seed gives the same numbers on every call, as in Keras; without one it draws from torch's
global generator. Source: https://keras.io/api/layers/initializers
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.initializers.fixed import DType, Initializer, Shape

# the standard deviation of a standard normal cut off at ±2
_TRUNCATED_STD = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base of the random ones: keeps the seed, gives a generator.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.

    Raises:
        InputError: a seed that is no integer.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(self, seed: Any = None) -> None:
        if isinstance(seed, dict):  # Keras 3 serialises its SeedGenerator as a dict
            seed = seed.get("config", {}).get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise InputError(f"An initializer's seed is an int or None; received {seed!r}.")
        self.seed = None if seed is None else int(seed)

    def _generator(self) -> torch.Generator | None:
        if self.seed is None:
            return None
        return torch.Generator().manual_seed(self.seed)

    def _normal(self, shape: Shape, mean: float, stddev: float, dtype: DType) -> Tensor:
        values = torch.empty(tuple(shape), dtype=torch_dtype(dtype))
        return values.normal_(mean, stddev, generator=self._generator())

    def _uniform(self, shape: Shape, low: float, high: float, dtype: DType) -> Tensor:
        values = torch.empty(tuple(shape), dtype=torch_dtype(dtype))
        return values.uniform_(low, high, generator=self._generator())

    def _truncated(self, shape: Shape, mean: float, stddev: float, dtype: DType) -> Tensor:
        """A normal cut off at ±2 stddev, by inverting its distribution function: exact, no rejection."""
        low = math.erf(-2.0 / math.sqrt(2.0))
        values = torch.empty(tuple(shape), dtype=torch.float64).uniform_(low, -low, generator=self._generator())
        values = values.erfinv_().mul_(math.sqrt(2.0)).clamp_(-2.0, 2.0).mul_(stddev).add_(mean)
        return values.to(torch_dtype(dtype))


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean: mean of the values.
        stddev: standard deviation of the values.
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
    """

    _arguments = ("seed", "mean", "stddev")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._normal(shape, self.mean, self.stddev, dtype)


class TruncatedNormal(RandomNormal):
    """Normal distribution cut off at two standard deviations from its mean.

    Args:
        mean: mean of the values.
        stddev: standard deviation of the normal distribution before the cut.
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
    """

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._truncated(shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Uniform distribution in [minval, maxval).

    Args:
        minval: lower bound.
        maxval: upper bound.
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
    """

    _arguments = ("seed", "minval", "maxval")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._uniform(shape, self.minval, self.maxval, dtype)


class VarianceScaling(RandomInitializer):
    """Distribution whose variance is scale/n, n being the number of a unit's inputs or outputs, or their mean.

    For a convolution the inputs are height·width·in, the outputs height·width·out. All the named ones (Glorot, He,
    Lecun) are cases of it.

    Args:
        scale: factor of the variance, above 0.
        mode: what n is: 'fan_in' (inputs), 'fan_out' (outputs) or 'fan_avg' (their mean).
        distribution: 'truncated_normal' (also 'normal'), 'untruncated_normal' or 'uniform'.
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.

    Raises:
        InputError: an argument out of its range.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0.0:
            raise InputError(f"VarianceScaling needs scale > 0; received {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise InputError(f"Expected mode 'fan_in', 'fan_out' or 'fan_avg'; received {mode!r}.")
        distribution = distribution.lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise InputError(
                "Expected distribution 'uniform', 'truncated_normal' or 'untruncated_normal'; "
                f"received {distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        fan_in, fan_out = _compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self._uniform(shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return self._normal(shape, 0.0, math.sqrt(variance), dtype)
        return self._truncated(shape, 0.0, math.sqrt(variance) / _TRUNCATED_STD, dtype)

    def _axes_config(self) -> dict[str, Any]:
        # older Keras 3 does not know these keys: written only when they say something
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {key: list(value) for key, value in axes.items() if value is not None}

    def get_config(self) -> dict[str, Any]:
        config = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**super().get_config(), **config, **self._axes_config()}


class _Named(VarianceScaling):
    """A VarianceScaling with everything but the seed fixed."""

    _fixed: tuple[float, str, str]

    def __init__(
        self, seed: Any = None, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
    ) -> None:
        scale, mode, distribution = self._fixed
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, **self._axes_config()}


class GlorotUniform(_Named):
    """Uniform in ±sqrt(6/(fan_in + fan_out)), the default of Keras' kernels; also called Xavier.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2/(fan_in + fan_out), also called Xavier. Glorot and Bengio, 2010.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeNormal(_Named):
    """Truncated normal of variance 2/fan_in, for ReLU. He et al., 2015, arXiv:1502.01852.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform in ±sqrt(6/fan_in), for ReLU. He et al., 2015, arXiv:1502.01852.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (2.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1/fan_in, for SELU. Klambauer et al., 2017, arXiv:1706.02515.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform in ±sqrt(3/fan_in). LeCun et al., "Efficient BackProp", 1998.

    Args:
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.
        input_axes: axes of the shape that make up fan_in; None: all but the last.
        output_axes: axes of the shape that make up fan_out; None: all but the last but one.
    """

    _fixed = (1.0, "fan_in", "uniform")


class Orthogonal(RandomInitializer):
    """Orthogonal matrix times gain, over (all axes but the last, the last). Saxe et al., 2014, arXiv:1312.6120.

    Args:
        gain: factor of the matrix.
        seed: integer for the same values at every call, as in Keras; None draws from torch's global generator.

    Raises:
        InputError: when called with a shape of fewer than two axes.
    """

    _arguments = ("seed", "gain")

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        if len(shape) < 2:
            raise InputError(f"Orthogonal needs at least two axes; received shape {tuple(shape)}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        draws = self._normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, torch.float32)
        q, r = torch.linalg.qr(draws)
        q = q * torch.sign(torch.diagonal(r))
        q = q.T if rows < columns else q
        return (self.gain * q.reshape(tuple(shape))).to(torch_dtype(dtype))


def _compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """(inputs, outputs) of one unit: of a convolution kh·kw·in and kh·kw·out."""
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field
