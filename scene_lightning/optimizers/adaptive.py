"""Adam and its kin: steps divided by a running size of the gradients. Formulas, order and defaults are Keras'."""

from __future__ import annotations

import math
from typing import Any, Unpack

import torch
from torch import Tensor

from scene_lightning.optimizers.base import Optimizer
from scene_lightning.optimizers.rate import CommonOptions, OptimizerOptions, Rate
from scene_lightning.optimizers.variable import ScalarVariable


def _power_f32(base: float, exponent: int, dtype: torch.dtype = torch.float32) -> float:
    """base^exponent in the weights' float type, as Keras computes it: in float32 Adam's first step is off by 1e-5."""
    return float(torch.pow(torch.tensor(base, dtype=dtype, device="cpu"), exponent))


class Adam(Optimizer):
    """Adam: steps along a running mean of the gradients, divided by the root of a running mean of their squares.

        m += (g − m)·(1 − beta_1);  v += (g² − v)·(1 − beta_2)
        w −= rate · sqrt(1 − beta_2ᵗ)/(1 − beta_1ᵗ) · m/(sqrt(v) + epsilon)

    Kingma and Ba, 2014, arXiv:1412.6980. Runs torch's fused kernel. It would put epsilon elsewhere: the bias
    corrections go into the rate, and the kernel takes it that infinitely many steps have been taken, so that its own
    corrections are 1.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: share of the old mean of their squares in the new one.
        epsilon: small number added to the divisor for stability.
        amsgrad: whether to divide by the largest v so far (Reddi et al., 2018).
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    slot_blocks: tuple[tuple[str, ...], ...] = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = 1e-7 if epsilon is None else epsilon
        self.amsgrad = amsgrad
        self._never: dict[torch.device, Tensor] = {}
        if amsgrad:
            self.slot_blocks = (("momentum", "velocity"), ("velocity_hat",))

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        adam_update(self, grads, params, rate, self.beta_1, self.beta_2, self.amsgrad)

    def _options(self) -> dict[str, Any]:
        options = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**options, "amsgrad": True} if self.amsgrad else options


def adam_update(
    opt: Any,
    grads: list[Tensor],
    params: list[Tensor],
    rate: float,
    beta_1: float,
    beta_2: float,
    amsgrad: bool = False,
) -> None:
    """Take one Adam step with Keras' corrections on the slots "momentum" and "velocity".

    Args:
        opt: the optimizer whose slots are used.
        grads: gradients.
        params: the weights, one for each gradient.
        rate: the learning rate of this step.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: share of the old mean of their squares in the new one.
        amsgrad: whether to divide by the largest mean square so far, in the slot "velocity_hat".
    """
    step = int(opt.iterations) + 1
    dtype = torch.float64 if params[0].dtype == torch.float64 else torch.float32
    alpha = rate * math.sqrt(1.0 - _power_f32(beta_2, step, dtype)) / (1.0 - _power_f32(beta_1, step, dtype))
    m, v = opt._slots(params, "momentum"), opt._slots(params, "velocity")
    v_hat = opt._slots(params, "velocity_hat") if amsgrad else []
    if _fusable(params, m, v, *([v_hat] if amsgrad else [])) and _fusable(params, grads, laid_out=False):
        device = params[0].device
        if device not in opt._never:
            opt._never[device] = torch.full((), float("inf"), device=device)
        never = opt._never[device]
        params, grads, m, v, v_hat = (_as_they_lie(of, params) for of in (params, grads, m, v, v_hat))
        grads = [grad.contiguous() for grad in grads]  # outside `fit` their strides are what the backward pass left
        torch._fused_adam_(
            params, grads, m, v, v_hat, [never] * len(params), lr=alpha, beta1=beta_1, beta2=beta_2, weight_decay=0.0,
            eps=opt.epsilon, amsgrad=amsgrad, maximize=False,
        )  # fmt: skip
        return
    torch._foreach_lerp_(m, grads, 1.0 - beta_1)
    torch._foreach_lerp_(v, torch._foreach_mul(grads, grads), 1.0 - beta_2)
    if amsgrad:
        torch._foreach_maximum_(v_hat, v)
        v = v_hat
    denominator = torch._foreach_sqrt(v)
    torch._foreach_add_(denominator, opt.epsilon)
    torch._foreach_addcdiv_(params, m, denominator, value=-alpha)


def _fusable(params: list[Tensor], *others: list[Tensor], laid_out: bool = True) -> bool:
    """Whether torch's fused kernel takes these: one device of the right kind, one float type, and one order in memory.

    The kernel walks the memory of each tensor from its first value on and looks at no strides.
    """
    first = params[0]
    if first.device.type not in ("cpu", "cuda", "mps") or not first.is_floating_point():
        return False
    for some in (params, *others):
        for tensor, param in zip(some, params, strict=True):
            alike = tensor.device == first.device and tensor.dtype == first.dtype and tensor.shape == param.shape
            if not alike or tensor.layout != torch.strided:
                return False
        if laid_out and not all(tensor.is_contiguous() for tensor in _as_they_lie(some, params)):
            return False
    return True


def _as_they_lie(tensors: list[Tensor], params: list[Tensor]) -> list[Tensor]:
    """Views of tensors with their axes in the order in which the weights' lie in memory, kernels' being another one."""
    views = []
    for tensor, param in zip(tensors, params, strict=False):  # without velocity_hat: an empty list
        if not param.is_contiguous():
            strides = param.stride()
            tensor = tensor.permute(sorted(range(param.ndim), key=strides.__getitem__, reverse=True))
        views.append(tensor)
    return views


class AdamW(Adam):
    """Adam with decoupled weight decay: w −= rate·weight_decay·w before Adam's step.

    Loshchilov and Hutter, 2019, arXiv:1711.05101.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        weight_decay: share of the weight, times the rate, that each step takes away; None: none.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: share of the old mean of their squares in the new one.
        epsilon: small number added to the divisor for stability.
        amsgrad: whether to divide by the largest v so far (Reddi et al., 2018).
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _always_writes_weight_decay = True

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[CommonOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class Adamax(Optimizer):
    """Adam with the infinity norm: u = max(beta_2·u, |g|); w −= rate/(1 − beta_1ᵗ) · m/(u + epsilon).

    Kingma and Ba, 2014, section 7.1, arXiv:1412.6980.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: factor by which the old norm shrinks.
        epsilon: small number added to the divisor for stability.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("beta_1", "beta_2", "epsilon")
    slot_blocks = (("momentum", "norm"),)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        correction = 1.0 - _power_f32(self.beta_1, int(self.iterations) + 1)
        m, u = self._slots(params, "momentum"), self._slots(params, "norm")
        torch._foreach_lerp_(m, grads, 1.0 - self.beta_1)
        torch._foreach_mul_(u, self.beta_2)
        torch._foreach_maximum_(u, torch._foreach_abs(grads))
        torch._foreach_addcdiv_(params, m, torch._foreach_add(u, self.epsilon), value=-rate / correction)


class Nadam(Adamax):
    """Adam with Nesterov momentum and Dozat's momentum schedule, beta_1·(1 − 0.5·0.96ᵗ).

    Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: share of the old mean of their squares in the new one.
        epsilon: small number added to the divisor for stability.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    slot_blocks = (("momentum", "velocity"),)

    def _init_slots(self) -> None:
        super()._init_slots()
        self._u_product = ScalarVariable(1.0, "u_product")

    def _extra_variables(self) -> list[ScalarVariable]:
        return [self._u_product]

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        u_t = self.beta_1 * (1.0 - 0.5 * _power_f32(0.96, step))
        u_next = self.beta_1 * (1.0 - 0.5 * _power_f32(0.96, step + 1))
        self._u_product.assign(float(self._u_product) * u_t)
        product = float(self._u_product)
        m, v = self._slots(params, "momentum"), self._slots(params, "velocity")
        torch._foreach_lerp_(m, grads, 1.0 - self.beta_1)
        torch._foreach_lerp_(v, torch._foreach_mul(grads, grads), 1.0 - self.beta_2)
        m_hat = torch._foreach_mul(m, u_next / (1.0 - product * u_next))
        torch._foreach_add_(m_hat, grads, alpha=(1.0 - u_t) / (1.0 - product))
        denominator = torch._foreach_sqrt(torch._foreach_div(v, 1.0 - _power_f32(self.beta_2, step)))
        torch._foreach_add_(denominator, self.epsilon)
        torch._foreach_addcdiv_(params, m_hat, denominator, value=-rate)


class Lamb(Adamax):
    """Adam whose step is scaled to each weight's own norm: for large batches.

        w −= rate · ‖w‖/‖u‖ · u, with u Adam's direction

    You et al., 2019, arXiv:1904.00962.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the old mean of the gradients in the new one.
        beta_2: share of the old mean of their squares in the new one.
        epsilon: small number added to the divisor for stability.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    slot_blocks = (("momentum", "velocity"),)

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        m, v = self._slots(params, "momentum"), self._slots(params, "velocity")
        torch._foreach_lerp_(m, grads, 1.0 - self.beta_1)
        torch._foreach_lerp_(v, torch._foreach_mul(grads, grads), 1.0 - self.beta_2)
        denominator = torch._foreach_sqrt(torch._foreach_div(v, 1.0 - _power_f32(self.beta_2, step)))
        torch._foreach_add_(denominator, self.epsilon)
        update = torch._foreach_div(torch._foreach_div(m, 1.0 - _power_f32(self.beta_1, step)), denominator)
        for param, move, w_norm, u_norm in zip(
            params, update, torch._foreach_norm(params), torch._foreach_norm(update), strict=True
        ):
            ratio = torch.where((w_norm > 0) & (u_norm > 0), w_norm / u_norm, torch.ones_like(w_norm))
            param.sub_(move * (ratio * rate))


class Lion(Optimizer):
    """Steps of one size along the sign of a momentum: w −= rate·sign(beta_1·m + (1 − beta_1)·g).

    Then m = beta_2·m + (1 − beta_2)·g. The rate is 3 to 10 times smaller than Adam's. Chen et al., 2023,
    arXiv:2302.06675.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the momentum in the direction.
        beta_2: share of the old momentum in the new one.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    _arguments = ("beta_1", "beta_2")
    slot_blocks = (("momentum",),)

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Unpack[OptimizerOptions]
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        m = self._slots(params, "momentum")
        direction = torch._foreach_mul(m, self.beta_1)
        torch._foreach_add_(direction, grads, alpha=1.0 - self.beta_1)
        torch._foreach_add_(params, torch._foreach_sign(direction), alpha=-rate)
        torch._foreach_mul_(m, self.beta_2)
        torch._foreach_add_(m, grads, alpha=1.0 - self.beta_2)


class ScheduleFreeAdamW(Adam):
    """Adam that needs no schedule: gradients are taken at an average of the iterates.

    Defazio et al., 2024, arXiv:2405.15682.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        beta_1: share of the average in the point at which gradients are taken.
        beta_2: share of the old mean of squared gradients in the new one.
        epsilon: small number added to the divisor for stability.
        warmup_steps: steps in which the rate rises in a line from 0; 0: none.
        **kwargs: options of all optimizers (weight_decay, clipnorm, use_ema, name, ...), as for `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.warmup_steps = warmup_steps

    @torch.no_grad()
    def _make_slots(self, params: list[Tensor]) -> None:
        super()._make_slots(params)
        for param in params:
            self.state[param]["momentum"].copy_(param)

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        if self.warmup_steps > 0:
            rate = rate * min(step / self.warmup_steps, 1.0)
        correction = 1.0 - _power_f32(self.beta_2, step)
        for grad, y, z, v in zip(
            grads, params, self._slots(params, "momentum"), self._slots(params, "velocity"), strict=True
        ):
            v.lerp_(grad.square(), 1.0 - self.beta_2)
            z.sub_(rate * grad / (torch.sqrt(v / correction) + self.epsilon))
            # the paper takes z from before the step; Keras on torch and TensorFlow takes it from after, and so do we
            x = (y - (1 - self.beta_1) * z) / self.beta_1
            x.lerp_(z, 1.0 / step)
            y.copy_((1 - self.beta_1) * z + self.beta_1 * x)

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "warmup_steps": self.warmup_steps}


__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Lion", "Nadam", "ScheduleFreeAdamW", "adam_update"]
