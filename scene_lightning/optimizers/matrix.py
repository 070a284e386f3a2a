"""Optimizers that look at a weight as a matrix: Adafactor (row and column sizes) and Muon (orthogonal steps)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from scene_lightning.optimizers.adaptive import adam_update
from scene_lightning.optimizers.base import Optimizer
from scene_lightning.optimizers.rate import CommonOptions, OptimizerOptions, Rate


class Adafactor(Optimizer):
    """Adam's squared gradients kept as means of rows and columns, so that they need little memory.

    Shazeer and Stern, 2018, arXiv:1804.04235.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_2_decay: exponent of the step number: at step t the old squares' share is 1 − t^beta_2_decay.
        epsilon_1: small number added to the squared gradients.
        epsilon_2: least size of a weight to which its steps are scaled.
        clip_threshold: size of a step above which it is scaled down.
        relative_step: whether a constant rate falls as 1/sqrt(step).
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def _make_slots(self, params: list[Tensor]) -> None:
        for param in params:
            shape = tuple(param.shape)
            matrix = len(shape) >= 2
            self._add_slot(param, "r", shape[:-1] if matrix else ())
            self._add_slot(param, "c", (*shape[:-2], shape[-1]) if matrix else ())
            self._add_slot(param, "velocity", shape)

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        bound = step**-0.5
        if not self.has_schedule and self.relative_step:
            rate = min(rate, bound)
        rho = min(rate, bound)
        beta = 1.0 - step**self.beta_2_decay
        for grad, param in zip(grads, params, strict=True):
            alpha = torch.clamp(_rms(param), min=self.epsilon_2) * rho
            move = grad / torch.sqrt(self._second_moment(grad, param, beta))
            param.sub_(alpha * move / torch.clamp(_rms(move) / self.clip_threshold, min=1.0))

    def _second_moment(self, grad: Tensor, param: Tensor, beta: float) -> Tensor:
        slots = self.state[param]
        squared = grad.square() + self.epsilon_1
        if param.ndim < 2:
            return slots["velocity"].lerp_(squared, 1.0 - beta)
        r = slots["r"].lerp_(squared.mean(dim=-1), 1.0 - beta)
        c = slots["c"].lerp_(squared.mean(dim=-2), 1.0 - beta)
        return slots["velocity"].copy_((r / r.mean(dim=-1, keepdim=True)).unsqueeze(-1) * c.unsqueeze(-2))


def _rms(x: Tensor) -> Tensor:
    return torch.sqrt(x.square().mean())


class Muon(Optimizer):
    """Momentum made orthogonal for matrices, by Newton–Schulz iterations, and AdamW for all other weights.

    Jordan et al., 2024, https://github.com/KellerJordan/Muon; Liu et al., 2025, arXiv:2502.16982. The output layer is
    best left to AdamW: exclude_layers=["output"].

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        adam_beta_1: AdamW's beta_1.
        adam_beta_2: AdamW's beta_2.
        adam_weight_decay: AdamW's weight decay; None: none.
        epsilon: AdamW's epsilon, added to the divisor.
        weight_decay: weight decay of the orthogonal steps; None: none.
        exclude_layers: regular expressions; weights in whose path one is found take AdamW; None: none.
        exclude_embeddings: whether embeddings take AdamW.
        muon_a, muon_b, muon_c: coefficients of the Newton–Schulz iteration.
        adam_lr_ratio: AdamW's rate divided by the learning rate.
        momentum: share of the last direction in this one.
        ns_steps: number of Newton–Schulz iterations.
        nesterov: whether to look ahead along the momentum.
        rms_rate: size of the orthogonal steps, as a share of AdamW's usual one; None: not scaled.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = (
        "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio",
        "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate",
    )  # fmt: skip
    _always_writes_weight_decay = True

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Unpack[CommonOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate
        self._never: dict[torch.device, Tensor] = {}

    def _takes_adam(self, param: Tensor) -> bool:
        path = self._path(param)
        return (
            param.ndim != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(pattern, path) for pattern in self.exclude_layers)
        )

    def _make_slots(self, params: list[Tensor]) -> None:
        for param in params:
            self.add_variable_from_reference(param, "momentum")
            if self._takes_adam(param):
                self.add_variable_from_reference(param, "velocity")

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        pairs = list(zip(grads, params, strict=True))
        adam = [(grad, param) for grad, param in pairs if "velocity" in self.state[param]]
        if adam:
            adam_update(
                self,
                [grad for grad, _ in adam],
                [param for _, param in adam],
                rate * self.adam_lr_ratio,
                self.adam_beta_1,
                self.adam_beta_2,
            )
        for grad, param in pairs:
            if "velocity" not in self.state[param]:
                self._orthogonal_step(grad, param, rate)

    def _orthogonal_step(self, grad: Tensor, param: Tensor, rate: float) -> None:
        m = self.state[param]["momentum"]
        m.mul_(self.momentum).add_(grad)
        update = self._orthogonalise(grad + self.momentum * m if self.nesterov else m)
        scale = 1.0 if self.rms_rate is None else max(param.shape) ** 0.5 * self.rms_rate
        param.sub_(update * (rate * scale))

    def _orthogonalise(self, x: Tensor) -> Tensor:
        """Newton–Schulz iterations of order five towards the nearest orthogonal matrix."""
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (torch.linalg.matrix_norm(x) + 1e-7)
        for _ in range(self.ns_steps):
            a = x @ x.T
            x = self.muon_a * x + (self.muon_b * a + self.muon_c * a @ a) @ x
        return x.T if tall else x

    def _apply_weight_decay(self, params: Sequence[Tensor], rate: float) -> None:
        for param in params:
            decay = self.adam_weight_decay if self._takes_adam(param) else self.weight_decay
            if decay is not None and self._use_weight_decay(param):
                param.mul_(1.0 - rate * decay)
