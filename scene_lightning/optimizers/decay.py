"""Decoupled weight decay, and which weights it leaves alone: Keras' `exclude_from_weight_decay`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class WeightDecay:
    """Mixed into `Optimizer`: w −= rate·weight_decay·w for all weights but those excluded by name or as objects."""

    weight_decay: float | None

    def _init_decay(self) -> None:
        self._names: dict[Tensor, str] = {}
        self._excluded: set[Tensor] = set()
        self._excluded_pattern: re.Pattern[str] | None = None

    def exclude_from_weight_decay(
        self, var_list: Iterable[Tensor] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave weights out of weight decay. Keras: `Optimizer.exclude_from_weight_decay`.

        Args:
            var_list: these weights.
            var_names: those in whose name ("bias") or path ("sequential/dense/bias", as Keras 2 named it) one of these
                regular expressions is found.
        """
        self._excluded = set(var_list or ())
        names = [var_names] if isinstance(var_names, str) else sorted(set(var_names or ()))
        self._excluded_pattern = re.compile("|".join(names)) if names else None

    def _use_weight_decay(self, variable: Tensor) -> bool:
        return variable not in self._excluded and not self._is_named(variable, self._excluded_pattern)

    def _is_named(self, variable: Tensor, pattern: re.Pattern[str] | None) -> bool:
        """Whether the pattern is found in the weight's name, its path, or its path as Keras 2 wrote it."""
        if pattern is None:
            return False
        path = self._path(variable)
        return any(pattern.search(text) for text in (getattr(variable, "name", None) or "", path, f"{path}:0"))

    def _path(self, variable: Tensor) -> str:
        """The weight's name after those of its layers; of a plain torch parameter, what `torch_optimizer` was given."""
        return self._names.get(variable) or str(getattr(variable, "path", ""))

    def _apply_weight_decay(self, params: Sequence[Tensor], rate: float) -> None:
        if self.weight_decay is None:
            return
        decayed = [param for param in params if self._use_weight_decay(param)]
        if decayed:
            torch._foreach_mul_(decayed, 1.0 - rate * self.weight_decay)
