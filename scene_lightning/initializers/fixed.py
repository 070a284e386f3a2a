"""Initializers whose values are known beforehand: constants, identities, arrays, Fourier kernels.

Kernels are laid out as in Keras (…, in, out). Source: https://keras.io/api/layers/initializers
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from scene_lightning._registry import Configured
from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError

Shape = Sequence[int]
DType = str | torch.dtype | None


class Initializer(Configured):
    """Base class of initializers: a subclass gives `__call__(shape, dtype=None)`, a tensor. Keras: `Initializer`."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        raise NotImplementedError("An initializer must override `__call__(self, shape, dtype=None)`.")

    def clone(self) -> Self:
        """Make a new initializer with the same config."""
        return self.from_config(self.get_config())


class Zeros(Initializer):
    """All zeros: `Zeros()(shape, dtype)` is a tensor of that shape."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return torch.zeros(tuple(shape), dtype=torch_dtype(dtype))


class Ones(Initializer):
    """All ones: `Ones()(shape, dtype)` is a tensor of that shape."""

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        return torch.ones(tuple(shape), dtype=torch_dtype(dtype))


class Constant(Initializer):
    """One value everywhere.

    Args:
        value: a number, or an array that broadcasts to the shape.
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        value = torch.as_tensor(np.asarray(self.value), dtype=torch_dtype(dtype))
        return value.broadcast_to(tuple(shape)).clone()

    def get_config(self) -> dict[str, Any]:
        value = self.value.tolist() if hasattr(self.value, "tolist") else self.value
        return {"value": value}


class Identity(Initializer):
    """A multiple of the identity matrix, for shapes of two axes.

    Args:
        gain: factor of the matrix.

    Raises:
        InputError: when called with a shape of another number of axes.
    """

    _arguments = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        if len(shape) != 2:
            raise InputError(f"Identity needs a matrix; received shape {tuple(shape)}.")
        return self.gain * torch.eye(*shape, dtype=torch_dtype(dtype))


class STFT(Initializer):
    """Kernel of a short-time Fourier transform, of shape (frame_length, 1, fft_length // 2 + 1).

    Args:
        side: 'real' for cosines or 'imag' for sines.
        window: window over a frame: 'hann', 'hamming', an array of shape (frame_length,), or None for none.
        scaling: 'density' (by the root of the window's power) or 'spectrum' (by its sum); None: not scaled.
        periodic: whether the window is periodic, as for spectral analysis; else symmetric.

    Raises:
        InputError: an unknown side, window or scaling.
    """

    _arguments = ("side", "window", "periodic", "scaling")

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


class Given(Initializer):
    """The values themselves: what an array given as an initializer becomes.

    Args:
        values: array of the weight's shape.
    """

    def __init__(self, values: Any) -> None:
        self.values = values

    def __call__(self, shape: Shape, dtype: DType = None, **kwargs: Any) -> Tensor:
        if tuple(shape) != tuple(self.values.shape):
            raise InputError(f"An array of shape {tuple(self.values.shape)} cannot initialise shape {tuple(shape)}.")
        return torch.as_tensor(self.values).detach().clone().to(torch_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"values": np.asarray(self.values).tolist()}
