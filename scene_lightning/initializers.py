"""A shape in; a tensor of starting values out. Kernels are laid out as in Keras (…, in, out).

An instance with an integer seed gives the same numbers on every call, as in Keras; without one it draws from torch's
global generator. Source: https://keras.io/api/layers/initializers
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from scene_lightning._identifiers import by_every_spelling, resolve, serialize_object
from scene_lightning.backend import torch_dtype
from scene_lightning.errors import InputError

Shape = Sequence[int]
DType = str | torch.dtype | None

# the standard deviation of a standard normal cut off at ±2
_TRUNCATED_STD = 0.87962566103423978


class Initializer:
    """Base class: `__call__(shape, dtype)` gives the values."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        raise NotImplementedError("An initializer must override `__call__(self, shape, dtype=None)`.")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        """A new initializer with the same config."""
        return self.from_config(self.get_config())


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return torch.zeros(tuple(shape), dtype=torch_dtype(dtype))


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return torch.ones(tuple(shape), dtype=torch_dtype(dtype))


class Constant(Initializer):
    """`value` everywhere: a number, or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        value = torch.as_tensor(np.asarray(self.value), dtype=torch_dtype(dtype))
        return value.broadcast_to(tuple(shape)).clone()

    def get_config(self) -> dict[str, Any]:
        value = self.value.tolist() if hasattr(self.value, "tolist") else self.value
        return {"value": value}


class Identity(Initializer):
    """gain · the identity matrix; two axes only."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        if len(shape) != 2:
            raise InputError(f"Identity needs a matrix; received shape {tuple(shape)}.")
        return self.gain * torch.eye(*shape, dtype=torch_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class STFT(Initializer):
    """Kernel of a short-time Fourier transform, shape (frame_length, 1, fft_length // 2 + 1).

    `window` is None, 'hann', 'hamming' or an array of frame_length numbers.
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        if side not in ("real", "imag"):
            raise InputError(f"Expected side 'real' or 'imag'; received {side!r}.")
        if isinstance(window, str) and window not in ("hann", "hamming"):
            raise InputError(f"Expected window 'hann', 'hamming', an array or None; received {window!r}.")
        if scaling not in (None, "density", "spectrum"):
            raise InputError(f"Expected scaling 'density', 'spectrum' or None; received {scaling!r}.")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        frame_length, _, bins = shape
        kind = torch_dtype(dtype)
        bin_index = torch.arange(bins, dtype=kind).view(1, 1, bins)
        time = torch.arange(frame_length, dtype=kind).view(frame_length, 1, 1)
        angle = -2.0 * time * (bin_index / ((bins - 1) * 2)) * math.pi
        kernel = torch.cos(angle) if self.side == "real" else torch.sin(angle)
        if self.window is None:
            return kernel
        window = self._window(frame_length).to(kind).view(frame_length, 1, 1)
        scale: Any = 1.0
        if self.scaling == "density":
            scale = torch.sqrt(window.square().sum())
        elif self.scaling == "spectrum":
            scale = window.abs().sum()
        return kernel * window / scale

    def _window(self, length: int) -> Tensor:
        if isinstance(self.window, str):
            # SciPy's get_window(name, n, fftbins), through which Keras goes, with fftbins=self.periodic
            make = torch.hann_window if self.window == "hann" else torch.hamming_window
            return make(length, periodic=self.periodic, dtype=torch.float64)
        window = torch.as_tensor(np.asarray(self.window))
        if window.shape != (length,):
            raise InputError(f"The window must have shape ({length},); received {tuple(window.shape)}.")
        return window

    def get_config(self) -> dict[str, Any]:
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}


class RandomInitializer(Initializer):
    """Base of the random ones: keeps the seed, gives a generator."""

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

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normal(mean, stddev)."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal(mean, stddev), redrawn beyond ±2 stddev."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._truncated(shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Uniform in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return self._uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Variance scale/n, n being the inputs, the outputs or their mean (`mode`)."""

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
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
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
    """Uniform ±sqrt(6/(fan_in + fan_out)): the default of Keras' kernels. Glorot and Bengio, 2010."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2/(fan_in + fan_out)."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeNormal(_Named):
    """Truncated normal of variance 2/fan_in. He et al., 2015."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform ±sqrt(6/fan_in)."""

    _fixed = (2.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1/fan_in."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform ±sqrt(3/fan_in)."""

    _fixed = (1.0, "fan_in", "uniform")


class Orthogonal(RandomInitializer):
    """gain · an orthogonal matrix over (all axes but the last, the last). Saxe et al., 2014."""

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

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(
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


class _Fixed(Initializer):
    """The values themselves: what an array given as an initializer becomes."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        if tuple(shape) != tuple(self.values.shape):
            raise InputError(f"An array of shape {tuple(self.values.shape)} cannot initialise shape {tuple(shape)}.")
        return torch.as_tensor(self.values).detach().clone().to(torch_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"values": np.asarray(self.values).tolist()}


_CLASSES: tuple[type[Initializer], ...] = (
    Zeros, Ones, Constant, Identity, STFT, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling,
    GlorotUniform, GlorotNormal, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal, Initializer,
)  # fmt: skip
_TABLE: dict[str, Any] = by_every_spelling({cls.__name__: cls for cls in _CLASSES}) | {
    "normal": RandomNormal,
    "gaussian": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
}

zeros = Zeros
ones = Ones
constant = Constant
identity = IdentityInitializer = Identity
stft = STFTInitializer = STFT
random_normal = normal = RandomNormal
truncated_normal = TruncatedNormal
random_uniform = uniform = RandomUniform
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
orthogonal = OrthogonalInitializer = Orthogonal


def get(identifier: Any) -> Any:
    """A name, an object, a function, an array or a config dict → a callable `(shape, dtype)`; None → None."""
    if isinstance(identifier, Tensor | np.ndarray | np.generic):
        return _Fixed(identifier)
    if inspect.isfunction(identifier):
        return identifier
    return cast(Any, resolve(identifier, table=_TABLE, kind="initializer"))


def serialize(initializer: Any) -> Any:
    """Keras' config dict of `initializer`."""
    return serialize_object(initializer, "initializers")


def deserialize(config: Any) -> Any:
    """The reverse of `serialize`."""
    return get(config)


__all__ = [
    "STFT", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal",
    "RandomUniform", "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros", "constant", "deserialize",
    "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform",
    "normal", "ones", "orthogonal", "random_normal", "random_uniform", "serialize", "stft", "truncated_normal",
    "uniform", "variance_scaling", "zeros",
]  # fmt: skip
