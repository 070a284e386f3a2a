"""What all optimizers share: the options, the learning rate, and the order of a step.

Order of a step, as in Keras: clip → weight decay → update → average (EMA) → constraints → iterations + 1. Slots live in
`state[param][name]`, where torch and Lightning look for them too; the step count and the learning rate live on the
host, so a step never waits for a device. Source: https://keras.io/api/optimizers
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from scene_lightning._naming import auto_name
from scene_lightning.errors import InputError
from scene_lightning.optimizers import schedules
from scene_lightning.optimizers.adapter import KerasOptimizer
from scene_lightning.optimizers.clipping import as_gradient, clip
from scene_lightning.optimizers.decay import WeightDecay
from scene_lightning.optimizers.pairs import TakesPairs
from scene_lightning.optimizers.rate import LearningRate, Rate
from scene_lightning.optimizers.slots import SlotStore
from scene_lightning.optimizers.variable import ScalarVariable


class Optimizer(TakesPairs, LearningRate, WeightDecay, SlotStore):
    """Base class of optimizers. Keras: `keras.optimizers.Optimizer`.

    Subclasses give `slot_blocks` (what each weight keeps) and `_update` (lists of gradients, weights, a rate), or, as a
    user's own Keras optimizer does, `build` and `update_step(gradient, variable, learning_rate)`.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments that returns the rate.
        weight_decay: decoupled weight decay: w −= rate·weight_decay·w before each update; None: none.
        clipnorm: largest norm of each weight's gradient; None: not clipped. Only one of the three clips can be set.
        clipvalue: largest absolute value of each element of the gradients; None: not clipped.
        global_clipnorm: largest norm of all gradients together; None: not clipped.
        use_ema: whether to keep an exponential moving average of the weights.
        ema_momentum: share of the old average in the new one, in [0, 1].
        ema_overwrite_frequency: put the average into the weights every so many steps; None: at the end of training.
        loss_scale_factor: factor of the loss in custom loops (`scale_loss`); in `fit` precision="16-mixed" scales by
            itself.
        gradient_accumulation_steps: update every so many steps, at least 2, with their mean gradient; None: every step.
        name: name of the optimizer; None means the class name in snake case.
        **kwargs: old spellings: `lr` is learning_rate; with Keras 2's `decay` the rate is rate/(1 + decay·iterations).

    Raises:
        InputError: an argument out of its range, or two kinds of clipping.
        UnknownArgumentError: an unknown keyword (the nearest one is suggested).
    """

    _arguments: ClassVar[tuple[str, ...]] = ()
    _always_writes_weight_decay: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate, self.decay = self._old_spellings(learning_rate, kwargs)
        if sum(value is not None for value in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise InputError(
                "Only one of clipnorm, clipvalue and global_clipnorm can be set; received "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}."
            )
        if gradient_accumulation_steps and gradient_accumulation_steps < 2:
            raise InputError(f"gradient_accumulation_steps is an int ≥ 2; received {gradient_accumulation_steps}.")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise InputError(f"ema_momentum lies in [0, 1]; received {ema_momentum}.")
        if use_ema and ema_overwrite_frequency is not None and ema_overwrite_frequency < 1:
            raise InputError(f"ema_overwrite_frequency is an int ≥ 1 or None; received {ema_overwrite_frequency}.")
        self.name = name or auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._init_slots()
        self._init_decay()
        self._iterations = ScalarVariable(0, "iteration", "int64")
        self._learning_rate: Any = self._as_rate(learning_rate)

    # -- one step -----------------------------------------------------------------------------------------------------

    def minimize(self, loss: Any, var_list: Any, tape: Any = None, **options: Any) -> ScalarVariable:
        """Take one step down a loss. Keras 2: `Optimizer.minimize`.

        Args:
            loss: scalar tensor, or a callable that computes it.
            var_list: the weights to be changed, or a callable that gives them.
            tape: Keras 2's GradientTape, without effect: torch records without one as well.
            **options: passed to `apply_gradients`.

        Returns:
            The step count.
        """
        with torch.enable_grad():
            value = loss() if callable(loss) else loss
        variables = list(var_list() if callable(var_list) else var_list)
        grads = torch.autograd.grad(value.sum(), variables, allow_unused=True)
        return self.apply_gradients(zip(grads, variables, strict=True), **options)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Tensor] | None = None) -> None:
        """Take one step; weights whose gradient is None are left as they are.

        Args:
            grads: one gradient (or None) for each weight.
            trainable_variables: the weights; None: those that the optimizer was built with.

        Raises:
            InputError: not one gradient was given, their number is not that of the weights, or a shape does not fit.
        """
        variables = self._params if trainable_variables is None else list(trainable_variables)
        if len(grads) != len(variables):
            raise InputError(f"Expected one gradient for each of {len(variables)} weights; received {len(grads)}.")
        pairs = [
            (as_gradient(grad, variable), variable)
            for grad, variable in zip(grads, variables, strict=True)
            if grad is not None
        ]
        if not pairs:
            raise InputError("No gradients provided for any variable.")
        scale = self.loss_scale_factor or 1.0
        self._step([grad / scale if scale != 1.0 else grad for grad, _ in pairs], [v for _, v in pairs])

    @torch.no_grad()
    def _step(self, grads: list[Tensor], params: list[Tensor]) -> None:
        grads = [grad.to_dense() if grad.is_sparse else grad for grad in grads]  # of torch's own sparse embeddings
        if any(param not in self._index for param in params):
            self.build(params)
        if self.gradient_accumulation_steps:
            self._accumulate(grads, params, self.gradient_accumulation_steps)
        else:
            self._clipped_update(grads, params)
        if self.use_ema:
            self._average()
        for param in params:
            constraint = getattr(param, "_constraint", None)
            if constraint is not None:
                param.copy_(constraint(param))
        self._iterations.assign(int(self._iterations) + 1)

    def _accumulate(self, grads: list[Tensor], params: list[Tensor], steps: int) -> None:
        sums = self._slots(params, "gradient_accumulator")
        torch._foreach_add_(sums, grads)
        if (int(self._iterations) + 1) % steps == 0:
            self._clipped_update(list(torch._foreach_div(sums, float(steps))), params)
            torch._foreach_zero_(self._slots(self._params, "gradient_accumulator"))

    def _clipped_update(self, grads: list[Tensor], params: list[Tensor]) -> None:
        rate = self._rate()
        grads = clip(grads, self.clipnorm, self.global_clipnorm, self.clipvalue)
        slowed = [(param, param.clone()) for param in params if getattr(param, "_learning_rate_factor", 1.0) != 1.0]
        self._apply_weight_decay(params, rate)
        self._update(grads, params, rate)
        for param, before in slowed:  # discriminative rates: every kind of step is linear in the rate
            param.copy_(torch.lerp(before, param, param._learning_rate_factor))  # type: ignore[attr-defined]

    def _update(self, grads: list[Tensor], params: list[Tensor], rate: float) -> None:
        """Move all `params`; the built-in optimizers override this with operations on whole lists."""
        for grad, param in zip(grads, params, strict=True):
            self.update_step(grad, param, rate)

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Any) -> None:
        """Change one weight in place: what a user's own optimizer overrides.

        Args:
            gradient: tensor of the weight's shape.
            variable: the weight.
            learning_rate: the present rate.
        """
        raise NotImplementedError(f"{type(self).__name__} must override update_step(gradient, variable, rate).")

    @staticmethod
    def assign(variable: Tensor, value: Any) -> None:
        """Set a variable in place (for a user's `update_step`).

        Args:
            variable: the tensor to be changed.
            value: its new value, of a shape that broadcasts to it.
        """
        variable.copy_(torch.as_tensor(value))

    @staticmethod
    def assign_add(variable: Tensor, value: Any) -> None:
        """Add to a variable in place.

        Args:
            variable: the tensor to be changed.
            value: what is added, of a shape that broadcasts to it.
        """
        variable.add_(value)

    @staticmethod
    def assign_sub(variable: Tensor, value: Any) -> None:
        """Subtract from a variable in place.

        Args:
            variable: the tensor to be changed.
            value: what is subtracted, of a shape that broadcasts to it.
        """
        variable.sub_(value)

    # -- averages, and torch's side ------------------------------------------------------------------------------------

    def _average(self) -> None:
        step = int(self.iterations)
        averages = self._slots(self._params, "average")
        torch._foreach_lerp_(averages, self._params, 1.0 - (self.ema_momentum if step else 0.0))
        if self.ema_overwrite_frequency and (step + 1) % self.ema_overwrite_frequency == 0:
            torch._foreach_copy_(self._params, averages)

    @torch.no_grad()
    def finalize_variable_values(self, var_list: Iterable[Tensor] | None = None) -> None:
        """Put the averages into the weights at the end of training, with `use_ema`.

        Args:
            var_list: the weights; None: all.
        """
        if self.use_ema and self.built:
            params = self._params if var_list is None else [v for v in var_list if v in self._index]
            torch._foreach_copy_(list(params), self._slots(params, "average"))

    def scale_loss(self, loss: Any) -> Any:
        """Multiply the loss by loss_scale_factor, for custom loops; `apply` divides the gradients again.

        Args:
            loss: scalar tensor.
        """
        return loss * self.loss_scale_factor if self.loss_scale_factor is not None else loss

    def get_scaled_loss(self, loss: Any) -> Any:
        """Return `loss` as it is: loops here are not in float16. Keras 2: `LossScaleOptimizer.get_scaled_loss`.

        Args:
            loss: scalar tensor.
        """
        return loss

    def get_unscaled_gradients(self, grads: Any) -> Any:
        """Return `grads` as they are: `get_scaled_loss` scales nothing.

        Args:
            grads: list of gradients.
        """
        return grads

    @property
    def inner_optimizer(self) -> Any:
        """This optimizer, which `LossScaleOptimizer` gives back. Keras: `LossScaleOptimizer.inner_optimizer`."""
        return self

    def torch_optimizer(self, params: Iterable[Any]) -> KerasOptimizer:
        """Make the `torch.optim.Optimizer` that takes this optimizer's steps.

        Frozen weights get their slots when they are first trained, as they would in Keras after compiling again.

        Args:
            params: weights, or (name, weight) pairs.
        """
        named = [p if isinstance(p, tuple) else ("", p) for p in params]
        for path, param in named:
            if path:
                self._names[param] = path
        self.build([param for _, param in named if param.requires_grad])
        return KerasOptimizer(self, [param for _, param in named])

    # -- config -------------------------------------------------------------------------------------------------------

    def _options(self) -> dict[str, Any]:
        """A subclass's own arguments."""
        return {name: getattr(self, name) for name in self._arguments}

    def get_config(self) -> dict[str, Any]:
        """Return the smallest dict that makes this optimizer again, here and in Keras."""
        rate: Any = self._learning_rate
        if isinstance(rate, ScalarVariable):
            rate = float(rate)
        elif isinstance(rate, schedules.LearningRateSchedule):
            rate = schedules.serialize(rate)
        else:
            rate = float(rate())
        config: dict[str, Any] = {"name": self.name, "learning_rate": rate}
        if self.weight_decay is not None or self._always_writes_weight_decay:
            config["weight_decay"] = self.weight_decay
        for key in ("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor", "gradient_accumulation_steps"):
            if getattr(self, key) is not None:
                config[key] = getattr(self, key)
        if self.use_ema:
            config |= {
                "use_ema": True,
                "ema_momentum": self.ema_momentum,
                "ema_overwrite_frequency": self.ema_overwrite_frequency,
            }
        if self.decay:
            config["decay"] = self.decay
        return {**config, **self._options()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
        """Make an optimizer from `get_config`'s dict, ours or Keras' (2 or 3).

        Args:
            config: the arguments by name.
            custom_objects: further classes and functions by the name that the config gives them.
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return cls(**config)

    def fresh(self, learning_rate: float | None = None) -> Optimizer:
        """Make another one like this that has taken no step.

        Args:
            learning_rate: its rate; None: this one's.
        """
        config = self.get_config()
        return type(self).from_config(config if learning_rate is None else {**config, "learning_rate": learning_rate})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
