"""Plain, momentum and accumulating steps: SGD, RMSprop, Adagrad, Adadelta, Ftrl. Formulas and defaults are Keras'."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.optimizers.base import Optimizer


class SGD(Optimizer):
    """v = μ·v − rate·g; w += v (Nesterov: w += μ·v − rate·g). The rate is inside the momentum, unlike in torch."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if isinstance(momentum, bool) or not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
            raise InputError(f"SGD's momentum is a number in [0, 1]; received {momentum!r}.")
        self.momentum = float(momentum)
        self.nesterov = nesterov
        self.slot_blocks = (("momentum",),) if momentum else ()

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        if not self.momentum:
            torch._foreach_add_(params, grads, alpha=-rate)
            return
        v = self._slots(params, "momentum")
        torch._foreach_mul_(v, self.momentum)
        torch._foreach_add_(v, grads, alpha=-rate)
        if self.nesterov:
            torch._foreach_add_(params, v, alpha=self.momentum)
            torch._foreach_add_(params, grads, alpha=-rate)
        else:
            torch._foreach_add_(params, v)

    def _options(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """v = ρ·v + (1−ρ)·g²; step = rate·g/sqrt(v + ε) (centered: v less the squared mean gradient). Hinton, 2012."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = 1e-7 if epsilon is None else epsilon
        self.centered = centered
        blocks = [("velocity",), *([("momentum",)] if momentum > 0 else [])]
        self.slot_blocks = (*blocks, *([("average_gradient",)] if centered else []))

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        v = self._slots(params, "velocity")
        torch._foreach_mul_(v, self.rho)
        torch._foreach_addcmul_(v, grads, grads, value=1.0 - self.rho)
        if self.centered:
            mean = self._slots(params, "average_gradient")
            torch._foreach_mul_(mean, self.rho)
            torch._foreach_add_(mean, grads, alpha=1.0 - self.rho)
            denominator = torch._foreach_addcmul(v, mean, mean, value=-1.0)
            torch._foreach_add_(denominator, self.epsilon)
        else:
            denominator = torch._foreach_add(v, self.epsilon)
        torch._foreach_sqrt_(denominator)
        if self.momentum <= 0:
            torch._foreach_addcdiv_(params, grads, denominator, value=-rate)
            return
        velocity = self._slots(params, "momentum")
        torch._foreach_mul_(velocity, self.momentum)
        torch._foreach_addcdiv_(velocity, grads, denominator, value=rate)
        torch._foreach_sub_(params, velocity)

    def _options(self) -> dict[str, Any]:
        options = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return options


class Adagrad(Optimizer):
    """a += g²; w −= rate·g/sqrt(a + ε). Duchi et al., 2011."""

    slot_blocks = (("accumulator",),)

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon
        self.slot_start = {"accumulator": initial_accumulator_value}

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        sums = self._slots(params, "accumulator")
        torch._foreach_addcmul_(sums, grads, grads)
        denominator = torch._foreach_sqrt(torch._foreach_add(sums, self.epsilon))
        torch._foreach_addcdiv_(params, grads, denominator, value=-rate)

    def _options(self) -> dict[str, Any]:
        return {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}


class Adadelta(Optimizer):
    """Steps scaled by the ratio of the running sizes of past steps and gradients. Zeiler, 2012."""

    slot_blocks = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        sizes = self._slots(params, "accumulated_grad")
        moves = self._slots(params, "accumulated_delta_var")
        torch._foreach_mul_(sizes, self.rho)
        torch._foreach_addcmul_(sizes, grads, grads, value=1.0 - self.rho)
        delta = torch._foreach_sqrt(torch._foreach_add(moves, self.epsilon))
        torch._foreach_mul_(delta, grads)
        torch._foreach_div_(delta, torch._foreach_sqrt(torch._foreach_add(sizes, self.epsilon)))
        torch._foreach_mul_(moves, self.rho)
        torch._foreach_addcmul_(moves, delta, delta, value=1.0 - self.rho)
        torch._foreach_add_(params, delta, alpha=-rate)

    def _options(self) -> dict[str, Any]:
        return {"rho": self.rho, "epsilon": self.epsilon}


class Ftrl(Optimizer):
    """Follow the regularised leader, with shrinkage. McMahan et al., 2013."""

    slot_blocks = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if learning_rate_power > 0:
            raise InputError(f"Ftrl needs learning_rate_power ≤ 0; received {learning_rate_power}.")
        strengths = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for key, value in strengths.items():
            if value < 0:
                raise InputError(f"Ftrl needs {key} ≥ 0; received {value}.")
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        self.slot_start = {"accumulator": initial_accumulator_value}

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        sums, linear = self._slots(params, "accumulator"), self._slots(params, "linear")
        used = torch._foreach_add(grads, params, alpha=2.0 * self.l2_shrinkage_regularization_strength)
        new_sums = torch._foreach_addcmul(sums, grads, grads)
        powered = torch._foreach_pow(new_sums, -self.learning_rate_power)
        sigma = torch._foreach_sub(powered, torch._foreach_pow(sums, -self.learning_rate_power))
        torch._foreach_div_(sigma, rate)
        torch._foreach_add_(linear, used)
        torch._foreach_addcmul_(linear, sigma, params, value=-1.0)
        quadratic = torch._foreach_div(powered, rate)
        torch._foreach_add_(quadratic, 2.0 * (self.l2_regularization_strength + self.beta / (2.0 * rate)))
        l1 = self.l1_regularization_strength
        clipped = torch._foreach_clamp_max(torch._foreach_clamp_min(linear, -l1), l1)
        torch._foreach_copy_(params, torch._foreach_div(torch._foreach_sub(clipped, linear), quadratic))
        torch._foreach_copy_(sums, new_sums)

    def _options(self) -> dict[str, Any]:
        return {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
