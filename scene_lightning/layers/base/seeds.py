"""A layer's seed, which makes a new random generator for every call."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.errors import InputError

_STEP = 0x9E3779B97F4A7C15  # odd, so that (seed, call) pairs spread over all 64-bit states


class SeedStream:
    """None: torch's own generator. A number: generators that are a function of (seed, number of the call).

    Args:
        seed: whole number, `SeedGenerator` or None.
    """

    def __init__(self, seed: Any = None) -> None:
        seed = getattr(seed, "seed", seed)  # a keras.random.SeedGenerator
        if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__")):
            raise InputError(f"`seed` must be a whole number or None. Received: seed={seed!r}")
        self.seed = None if seed is None else int(seed)
        self._calls = 0

    def next(self, device: torch.device) -> torch.Generator | None:
        """The generator of this call on `device`."""
        if self.seed is None:
            return None
        state = (self.seed * 0x100000001B3 + self._calls * _STEP) & 0x7FFFFFFFFFFFFFFF
        self._calls += 1
        if device.type == "meta":  # tensors without values: there is nothing to draw
            return None
        return torch.Generator(device=device).manual_seed(state)
