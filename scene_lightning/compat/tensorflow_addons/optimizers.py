"""`tfa.optimizers`: Keras' optimizers with Addons' names, argument orders and defaults, and those that Keras lacks.

Decoupled weight decay differs from Keras': Addons takes w −= weight_decay·w, without the learning rate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from scene_lightning import optimizers
from scene_lightning._registry import register_in_package
from scene_lightning.optimizers.schedules import LearningRateSchedule


class _DecoupledDecay(optimizers.Optimizer):
    """Takes `exclude_from_weight_decay`: regular expressions, found in the names of weights that are left alone."""

    def __init__(self, *args: Any, exclude_from_weight_decay: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._excluded_names = list(exclude_from_weight_decay or [])
        self.exclude_from_weight_decay(var_names=self._excluded_names)

    def get_config(self) -> dict[str, Any]:
        excluded = {"exclude_from_weight_decay": self._excluded_names} if self._excluded_names else {}
        return {**super().get_config(), **excluded}

    def apply_gradients(self, grads_and_vars: Any, decay_var_list: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """One step; with `decay_var_list` only these weights decay."""
        self._only = None if decay_var_list is None else set(decay_var_list)
        try:
            return super().apply_gradients(grads_and_vars, **options)
        finally:
            self._only = None

    _only: set[Tensor] | None = None

    def _use_weight_decay(self, variable: Tensor) -> bool:
        return (self._only is None or variable in self._only) and super()._use_weight_decay(variable)

    def _apply_weight_decay(self, params: Sequence[Tensor], rate: float) -> None:
        decayed = [param for param in params if self._use_weight_decay(param)]
        if decayed and self.weight_decay:
            torch._foreach_mul_(decayed, 1.0 - float(self.weight_decay))


@register_in_package("Addons")
class AdamW(_DecoupledDecay, optimizers.Adam):
    """Adam, and w −= weight_decay·w before it. Loshchilov and Hutter, 2019.

    Args:
        weight_decay: the share of each weight that a step takes.
        learning_rate: a number or a schedule.
        beta_1, beta_2: decay of the mean of gradients, and of their squares.
        epsilon: keeps the division from zero.
        amsgrad: whether to divide by the largest mean square so far.
        name: the optimizer's.
        **kwargs: of `Optimizer`, and `exclude_from_weight_decay`.
    """

    def __init__(
        self, weight_decay: Any, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, name: str = "AdamW", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, name=name, **kwargs
        )


@register_in_package("Addons")
class SGDW(_DecoupledDecay, optimizers.SGD):
    """SGD, and w −= weight_decay·w before it.

    Args:
        weight_decay: the share of each weight that a step takes.
        learning_rate: a number or a schedule.
        momentum: the share of the last step that is kept.
        nesterov: whether the gradient is taken a step ahead.
        name: the optimizer's.
        **kwargs: of `Optimizer`, and `exclude_from_weight_decay`.
    """

    def __init__(
        self, weight_decay: Any, learning_rate: Any = 0.001, momentum: float = 0.0, nesterov: bool = False,
        name: str = "SGDW", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, momentum, nesterov, weight_decay=weight_decay, name=name, **kwargs)


class LazyAdam(optimizers.Adam):
    """Adam: what is lazy there concerns sparse gradients, which images do not have."""


@register_in_package("Addons")
class LAMB(optimizers.Lamb):
    """Layer-wise adaptive Adam, whose weight decay is part of the step that is scaled. You et al., 2019.

    `exclude_from_weight_decay`, `exclude_from_layer_adaptation` (by default the same): regular expressions, found in
    the names of weights that do not decay, and whose steps are not scaled.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: decay of the mean of gradients, and of their squares.
        epsilon: keeps the division from zero.
        weight_decay: the share of the weight in the step.
        exclude_from_weight_decay: regular expressions, found in the names of weights that do not decay.
        exclude_from_layer_adaptation: the same for weights whose steps are not scaled; None for those that do
            not decay.
        name: the optimizer's.
        **kwargs: of `Optimizer`, and `weight_decay_rate`, an older name.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-6,
        weight_decay: Any = 0.0, exclude_from_weight_decay: Sequence[str] | None = None,
        exclude_from_layer_adaptation: Sequence[str] | None = None, name: str = "LAMB", **kwargs: Any,
    ) -> None:  # fmt: skip
        weight_decay = kwargs.pop("weight_decay_rate", weight_decay)  # Addons until 0.15
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name=name, **kwargs)
        self.decay_in_step = float(weight_decay or 0.0)
        self._excluded_names = list(exclude_from_weight_decay or [])
        self.exclude_from_weight_decay(var_names=self._excluded_names)
        self._unscaled_names = list(exclude_from_layer_adaptation or self._excluded_names)
        self._unscaled = re.compile("|".join(self._unscaled_names)) if self._unscaled_names else None

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        m, v = self._slots(params, "momentum"), self._slots(params, "velocity")
        torch._foreach_lerp_(m, grads, 1.0 - self.beta_1)
        torch._foreach_lerp_(v, torch._foreach_mul(grads, grads), 1.0 - self.beta_2)
        size = torch._foreach_sqrt(torch._foreach_div(v, 1.0 - self.beta_2**step))
        torch._foreach_add_(size, self.epsilon)
        moves = torch._foreach_div(torch._foreach_div(m, 1.0 - self.beta_1**step), size)
        for param, move in zip(params, moves, strict=True):
            if self.decay_in_step and self._use_weight_decay(param):
                move.add_(param, alpha=self.decay_in_step)
            if not self._is_named(param, self._unscaled):
                of_weight, of_move = torch.linalg.vector_norm(param), torch.linalg.vector_norm(move)
                ratio = torch.where((of_weight > 0) & (of_move > 0), of_weight / of_move, torch.ones_like(of_weight))
                move = move * ratio
            param.sub_(move, alpha=rate)

    def _options(self) -> dict[str, Any]:
        excluded = {
            "exclude_from_weight_decay": self._excluded_names or None,
            "exclude_from_layer_adaptation": self._unscaled_names or None,
        }
        return {**super()._options(), "weight_decay": self.decay_in_step, **excluded}


@register_in_package("Addons")
class RectifiedAdam(optimizers.Optimizer):
    """Adam whose first steps wait for the variance of v to settle. Liu et al., 2019.

    `total_steps` with `warmup_proportion` and `min_lr` warms the rate up and takes it down in straight lines.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: decay of the mean of gradients, and of their squares.
        epsilon: keeps the division from zero.
        weight_decay: the share of the weight in the step.
        amsgrad: whether to divide by the largest mean square so far.
        sma_threshold: from which length of the mean square's average it is divided by.
        total_steps: of a rate that rises and falls in straight lines; 0 for one that does not.
        warmup_proportion: the part of them in which it rises.
        min_lr: where it ends.
        name: the optimizer's.
        **kwargs: of `Optimizer`.
    """

    slot_blocks: tuple[tuple[str, ...], ...] = (("m", "v"),)

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        weight_decay: Any = 0.0, amsgrad: bool = False, sma_threshold: float = 5.0, total_steps: int = 0,
        warmup_proportion: float = 0.1, min_lr: float = 0.0, name: str = "RectifiedAdam", **kwargs: Any,
    ) -> None:  # fmt: skip
        if amsgrad:
            self.slot_blocks = (("m", "v"), ("vhat",))
        super().__init__(learning_rate, name=name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad
        self.decoupled_decay, self.sma_threshold = weight_decay, sma_threshold
        self.total_steps, self.warmup_proportion, self.min_lr = total_steps, warmup_proportion, min_lr

    def _warmed(self, rate: float, step: int) -> float:
        if not self.total_steps:
            return rate
        warmup = self.total_steps * self.warmup_proportion
        if step <= warmup:
            return rate * step / warmup
        slope = (self.min_lr - rate) / max(self.total_steps - warmup, 1)
        return rate + slope * min(step - warmup, self.total_steps - warmup)

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        step = int(self.iterations) + 1
        rate = self._warmed(rate, step)
        decayed_1, decayed_2 = self.beta_1**step, self.beta_2**step
        longest = 2.0 / (1.0 - self.beta_2) - 1.0
        average = longest - 2.0 * step * decayed_2 / (1.0 - decayed_2)
        m, v = self._slots(params, "m"), self._slots(params, "v")
        torch._foreach_lerp_(m, grads, 1.0 - self.beta_1)
        torch._foreach_lerp_(v, torch._foreach_mul(grads, grads), 1.0 - self.beta_2)
        if self.amsgrad:
            largest = self._slots(params, "vhat")
            torch._foreach_maximum_(largest, v)
            v = largest
        moved = torch._foreach_div(m, 1.0 - decayed_1)
        if average >= self.sma_threshold:
            rectified = math.sqrt(
                (average - 4.0) / (longest - 4.0) * (average - 2.0) / (longest - 2.0) * longest / average
            )
            size = torch._foreach_sqrt(torch._foreach_div(v, 1.0 - decayed_2))
            torch._foreach_add_(size, self.epsilon)
            moved = torch._foreach_mul(torch._foreach_div(moved, size), rectified)
        if self.decoupled_decay:
            torch._foreach_add_(moved, torch._foreach_mul(params, float(self.decoupled_decay)))
        torch._foreach_add_(params, moved, alpha=-rate)

    def _options(self) -> dict[str, Any]:
        return {
            "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad,
            "weight_decay": self.decoupled_decay, "sma_threshold": self.sma_threshold,
            "total_steps": self.total_steps, "warmup_proportion": self.warmup_proportion, "min_lr": self.min_lr,
        }  # fmt: skip


def Lookahead(
    optimizer: Any, sync_period: int = 6, slow_step_size: float = 0.5, name: str = "Lookahead", **_: Any
) -> optimizers.Optimizer:
    """Has weights go back part of the way to a slow copy every few steps. Zhang et al., 2019.

    The same object, with the copy as one more slot.

    Args:
        optimizer: the one that steps, which is given back.
        sync_period: steps from copy to copy.
        slow_step_size: the part of the way that the copy moves.
        name, **_: for Addons' sake, without effect.
    """
    inner = optimizers.get(optimizer)
    take_step = inner._step

    @torch.no_grad()
    def step(grads: list[Tensor], params: list[Tensor]) -> None:
        new = [param for param in params if "slow" not in inner.state[param]]
        for param in new:
            inner.state[param]["slow"] = param.detach().clone()
        take_step(grads, params)
        if int(inner._iterations) % sync_period == 0:
            slow = inner._slots(params, "slow")
            torch._foreach_lerp_(slow, params, slow_step_size)
            torch._foreach_copy_(params, slow)

    inner._step = step  # type: ignore[method-assign]
    return inner


def MovingAverage(
    optimizer: Any, average_decay: float = 0.99, num_updates: Any = None, start_step: int = 0, name: str = "", **_: Any
) -> optimizers.Optimizer:
    """Keeps a moving average of the weights, which training puts in at its end (Keras' `use_ema`).

    Args:
        optimizer: the one that steps, which is given back.
        average_decay: the share of the old average that is kept.
        num_updates, start_step, name, **_: for Addons' sake, without effect.
    """
    inner = optimizers.get(optimizer)
    inner.use_ema, inner.ema_momentum = True, average_decay
    return inner


def SWA(
    optimizer: Any, start_averaging: int = 0, average_period: int = 10, name: str = "SWA", **_: Any
) -> optimizers.Optimizer:
    """Keeps a moving average of the weights, which training puts in at its end. Izmailov et al., 2018.

    Args:
        optimizer: the one that steps, which is given back.
        average_period: so many steps make up most of the average.
        start_averaging, name, **_: for Addons' sake, without effect.
    """
    return MovingAverage(optimizer, 1.0 - 1.0 / max(average_period, 2))


def extend_with_decoupled_weight_decay(base_optimizer: type[optimizers.Optimizer]) -> type[optimizers.Optimizer]:
    """Makes a class of an optimizer that takes weight_decay first.

    Args:
        base_optimizer: a class of this package's.
    """

    class Extended(_DecoupledDecay, base_optimizer):  # type: ignore[misc,valid-type]
        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "weight_decay": weight_decay})

    Extended.__name__ = Extended.__qualname__ = f"{base_optimizer.__name__}W"
    return Extended


class CyclicalLearningRate(LearningRateSchedule):
    """A rate that goes up and down between two. Smith, 2017.

    Args:
        initial_learning_rate, maximal_learning_rate: the lower and the upper one.
        step_size: steps from one to the other.
        scale_fn: number of the cycle, or step → factor of the height.
        scale_mode: "cycle" or "iterations": what `scale_fn` takes.
        name: kept for the config only.
    """

    _arguments: ClassVar[tuple[str, ...]] = (
        "initial_learning_rate", "maximal_learning_rate", "step_size", "scale_mode", "name",
    )  # fmt: skip

    def __init__(
        self, initial_learning_rate: float, maximal_learning_rate: float, step_size: float,
        scale_fn: Callable[[Any], Any] = lambda _: 1.0, scale_mode: str = "cycle", name: str = "CyclicalLearningRate",
    ) -> None:  # fmt: skip
        self.initial_learning_rate, self.maximal_learning_rate = initial_learning_rate, maximal_learning_rate
        self.step_size, self.scale_fn, self.scale_mode, self.name = step_size, scale_fn, scale_mode, name

    def __call__(self, step: Any) -> Tensor:
        number = float(step)
        cycle = math.floor(1 + number / (2 * self.step_size))
        height = max(0.0, 1 - abs(number / self.step_size - 2 * cycle + 1))
        scale = float(self.scale_fn(cycle if self.scale_mode == "cycle" else step))
        reach = self.maximal_learning_rate - self.initial_learning_rate
        return torch.tensor(self.initial_learning_rate + reach * height * scale, dtype=torch.float32)


class TriangularCyclicalLearningRate(CyclicalLearningRate):
    """A rate that goes up and down between two, as high in every cycle.

    Args:
        initial_learning_rate, maximal_learning_rate: the lower and the upper one.
        step_size: steps from one to the other.
        scale_mode: "cycle" or "iterations": what a subclass' factor of the height is reckoned from.
        name: kept for the config only; None for that of the class.
    """

    def __init__(
        self, initial_learning_rate: float, maximal_learning_rate: float, step_size: float, scale_mode: str = "cycle",
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            initial_learning_rate,
            maximal_learning_rate,
            step_size,
            self._factor,
            scale_mode,
            name or type(self).__name__,
        )

    def _factor(self, number: Any) -> float:
        return 1.0


class Triangular2CyclicalLearningRate(TriangularCyclicalLearningRate):
    """A rate that goes up and down between two, half as high in each next cycle; its arguments are its base's."""

    def _factor(self, number: Any) -> float:
        return 0.5 ** (float(number) - 1)


class ExponentialCyclicalLearningRate(CyclicalLearningRate):
    """A rate that goes up and down between two, gamma times as high in each next step.

    Args:
        initial_learning_rate, maximal_learning_rate: the lower and the upper one.
        step_size: steps from one to the other.
        scale_mode: "iterations", or "cycle", which shrinks it from cycle to cycle.
        gamma: the factor.
        name: kept for the config only.
    """

    _arguments = (*CyclicalLearningRate._arguments, "gamma")

    def __init__(
        self, initial_learning_rate: float, maximal_learning_rate: float, step_size: float,
        scale_mode: str = "iterations", gamma: float = 1.0, name: str = "ExponentialCyclicalLearningRate",
    ) -> None:  # fmt: skip
        super().__init__(
            initial_learning_rate, maximal_learning_rate, step_size, lambda n: gamma ** float(n), scale_mode, name
        )
        self.gamma = gamma
