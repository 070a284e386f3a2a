"""Plain, momentum and accumulating steps: SGD, RMSprop, Adagrad, Adadelta, Ftrl. Formulas and defaults are Keras'."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.optimizers.base import Optimizer
from scene_lightning.optimizers.rate import OptimizerOptions, Rate


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum: v = momentum·v − rate·g; w += v.

    With Nesterov momentum w += momentum·v − rate·g. The rate is inside the momentum, unlike in torch.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        momentum: share of the last step in this one, in [0, 1]; 0: plain gradient descent.
        nesterov: whether to look ahead along the momentum.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.

    Raises:
        InputError: a momentum outside [0, 1].
    """

    _arguments = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
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


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

        v = rho·v + (1 − rho)·g²;  w −= rate·g/sqrt(v + epsilon)

    Hinton, "Neural Networks for Machine Learning", lecture 6, 2012.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        rho: share of the old mean of squared gradients in the new one.
        momentum: share of the last step in this one; 0: none.
        epsilon: small number added to the divisor for stability.
        centered: whether to divide by the variance of the gradients, not by their mean square.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        **kwargs: Unpack[OptimizerOptions],
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


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far: a += g²; w −= rate·g/sqrt(a + epsilon).

    Duchi et al., "Adaptive Subgradient Methods", JMLR 12, 2011.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        initial_accumulator_value: the value at which a starts.
        epsilon: small number added to the divisor for stability.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("initial_accumulator_value", "epsilon")
    slot_blocks = (("accumulator",),)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
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


class Adadelta(Optimizer):
    """Steps scaled by the ratio of the running sizes of past steps and of gradients.

    Zeiler, 2012, arXiv:1212.5701, where the rate is 1.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        rho: share of the old sizes in the new ones.
        epsilon: small number added to the divisor for stability.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("rho", "epsilon")
    slot_blocks = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Unpack[OptimizerOptions]
    ) -> None:
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


class Ftrl(Optimizer):
    """Follow the regularised leader, with shrinkage: for shallow models with many sparse features.

    McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        learning_rate_power: power, 0 or less, of the squared gradients' sum by which the rate falls; 0: it stays.
        initial_accumulator_value: the value at which that sum starts, 0 or more.
        l1_regularization_strength: strength of the penalty on |w|, 0 or more.
        l2_regularization_strength: strength of the penalty on w², 0 or more, which steadies the steps.
        l2_shrinkage_regularization_strength: strength of a penalty on w², 0 or more, that goes into the gradients.
        beta: the paper's beta, which slows the first steps.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
        "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip
    slot_blocks = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Unpack[OptimizerOptions],
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
