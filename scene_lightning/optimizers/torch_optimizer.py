"""Lets `compile` take an optimizer of torch: a class, a partial, a factory or an instance, with Keras' learning rate.

Lightning gets torch's own object. What Keras' callbacks and programs ask of `model.optimizer` is answered here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.optimizers.clipping import as_gradient, laid_out_like
from scene_lightning.optimizers.pairs import TakesPairs
from scene_lightning.optimizers.variable import ScalarVariable

_FORMS = (
    "Expected compile(optimizer=torch.optim.AdamW), functools.partial(torch.optim.AdamW, lr=1e-3), a function that "
    "takes the parameters and returns the optimizer, or one made on model.parameters()."
)


class _Rate(ScalarVariable):
    """The learning rate where torch keeps it: in the parameter groups. A second group keeps its ratio to the first."""

    def __init__(self, owner: TorchOptimizer) -> None:
        self._owner, self.name, self.dtype, self._listeners = owner, "learning_rate", "float64", []

    @property
    def _value(self) -> float:  # type: ignore[override]
        return float(self._owner._groups()[0]["lr"])

    @_value.setter
    def _value(self, rate: float) -> None:
        groups = self._owner._groups()
        first = float(groups[0]["lr"])
        for group in groups:
            own = float(group["lr"])
            wanted = rate * own / first if first and own != first else rate
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(wanted)
            else:
                group["lr"] = wanted


class TorchOptimizer(TakesPairs):
    """A `torch.optim.Optimizer` as `model.optimizer`: its rate can be read and set, its steps are counted.

    Args:
        make: parameters → the optimizer; called when the weights are there.
        instance: the optimizer itself, when it is there already.

    Raises:
        InputError: `make` gives something else, or fails.
    """

    has_schedule = False

    def __init__(self, make: Callable[[Any], Any], instance: torch.optim.Optimizer | None = None) -> None:
        self._make, self._given = make, instance is not None
        self._inner, self._made_for = instance, list[int]()
        # Tells the rate and the class before the weights are there, and finds a wrong argument when compile() is called
        self._probe = instance if instance is not None else _made(make, [torch.nn.Parameter(torch.zeros(1, 1))])
        self._iterations = ScalarVariable(0, "iteration", "int64")
        self._rate = _Rate(self)
        self._is_whole = True
        if instance is not None:
            self._listen()

    # -- what Keras' programs ask ----------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The class's name, in lower case."""
        return type(self._probe).__name__.lower()

    @property
    def learning_rate(self) -> ScalarVariable:
        """The first parameter group's rate, as a variable that can be read and assigned."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            raise InputError(
                "A torch optimizer's learning rate is a number: follow a schedule with "
                "keras.callbacks.LearningRateScheduler, or return torch's scheduler from configure_optimizers()."
            )
        self._rate.assign(value)

    lr = learning_rate

    @property
    def iterations(self) -> ScalarVariable:
        """Steps taken so far."""
        return self._iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self._iterations.assign(int(value))

    def drives(self, optimizer: Any) -> bool:
        """Whether `optimizer` is torch's object behind this one."""
        return self._inner is optimizer

    @property
    def built(self) -> bool:
        """Whether it has been made on the model's weights."""
        return self._inner is not None

    @property
    def state(self) -> Any:
        """What torch keeps for each weight."""
        return {} if self._inner is None else self._inner.state

    @property
    def variables(self) -> list[Any]:
        """The step count, the rate, and the tensors that torch keeps, weight by weight."""
        kept = [value for slots in self.state.values() for value in slots.values() if isinstance(value, Tensor)]
        return [self._iterations, self._rate, *kept]

    def slot_arrays(self) -> list[Any]:
        """Nothing: a Keras file has no place for it."""
        return []

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Tensor]) -> None:
        """One step with these gradients, for a `train_step` of the user's own."""
        inner = self._inner or self.torch_optimizer(trainable_variables)
        for grad, variable in zip(grads, trainable_variables, strict=True):
            variable.grad = None if grad is None else laid_out_like(variable, as_gradient(grad, variable))
        inner.step()
        inner.zero_grad()

    # -- torch's side ----------------------------------------------------------------------------------------------

    def torch_optimizer(self, params: Sequence[Tensor]) -> torch.optim.Optimizer:
        """torch's own object, on these weights.

        Raises:
            InputError: an instance that was made on other weights.
        """
        wanted = [id(param) for param in params]
        if self._given:
            self._refuse_strangers(wanted)
        elif self._made_for != wanted:
            before, rate = self._inner, float(self._rate)
            self._inner, self._made_for = _made(self._make, list(params)), wanted
            if before is not None:  # the network was changed: what is known of a weight stays known
                self._inner.state.update({param: before.state[param] for param in params if param in before.state})
            self._rate.assign(rate)
            self._listen()
        assert self._inner is not None
        mine = [id(param) for group in self._groups() for param in group["params"]]
        self._is_whole = len(self._groups()) == 1 and mine == wanted
        return self._inner

    def _refuse_strangers(self, wanted: list[int]) -> None:
        strangers = {id(param) for group in self._groups() for param in group["params"]} - set(wanted)
        if strangers:
            kind = type(self._probe).__name__
            raise InputError(
                f"The {kind} that compile() was given drives {len(strangers)} weights that are not this model's. Make "
                f"it on model.parameters() once the model is built, or pass the class, torch.optim.{kind}."
            )

    def _groups(self) -> list[dict[str, Any]]:
        return (self._inner or self._probe).param_groups

    def fresh(self, learning_rate: float | None = None) -> TorchOptimizer:
        """Another one like this that has taken no step, on all the weights it is given."""
        made = TorchOptimizer(self._plain_make() if self._given else self._make)
        made.learning_rate = float(self.learning_rate) if learning_rate is None else learning_rate
        return made

    def _plain_make(self) -> Callable[[Any], Any]:
        return functools.partial(type(self._probe), **self._probe.defaults)

    def _listen(self) -> None:
        assert self._inner is not None
        self._inner.register_step_post_hook(self._after_step)
        self._inner.register_state_dict_post_hook(self._add_count)
        self._inner.register_load_state_dict_pre_hook(self._take_count)
        self._inner.register_load_state_dict_post_hook(_lay_out)

    @torch.no_grad()
    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._iterations.assign_add(1)
        for group in optimizer.param_groups:
            for param in group["params"]:
                constraint = getattr(param, "_constraint", None)
                if constraint is not None:
                    param.copy_(constraint(param))

    def _add_count(self, optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
        return {**state_dict, "iterations": int(self._iterations)}

    def _take_count(self, optimizer: Any, state_dict: dict[str, Any]) -> None:
        self._iterations.assign(state_dict.get("iterations", int(self._iterations)))

    def __getstate__(self) -> dict[str, Any]:
        # A lambda cannot travel to another process; torch's object can, and so can what makes one like it.
        return {**self.__dict__, "_make": self._plain_make()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._inner is not None:
            self._made_for = [id(param) for group in self._groups() for param in group["params"]]
            self._listen()

    # -- config ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The class of torch.optim and its options: with the state in a `.ckpt`, all of it.

        Raises:
            UnsupportedError: a class of another origin, several parameter groups, or some of the weights only.
        """
        kind, options = type(self._probe), dict(self._probe.defaults)
        options["lr"] = float(self._rate)
        plain = all(_is_plain(value) for value in options.values())
        if getattr(torch.optim, kind.__name__, None) is not kind or not plain or not self._is_whole:
            raise UnsupportedError(
                f"A file can hold a class of torch.optim that drives all weights in one parameter group; this is "
                f"{kind.__module__}.{kind.__name__} in {len(self._groups())} group(s)."
            )
        return {"torch_class": kind.__name__, "options": options}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TorchOptimizer:
        """Make an optimizer from `get_config`'s dict. Raises InputError for anything but a class of torch.optim.

        Args:
            config: the dict.
            custom_objects: without effect.
        """
        name, options = config.get("torch_class"), config.get("options") or {}
        kind: Any = getattr(torch.optim, name, None) if isinstance(name, str) else None
        if not _is_torch_class(kind):
            raise InputError(f"torch.optim has no optimizer {name!r}.")
        read = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        known = set(inspect.signature(kind).parameters)
        return cls(functools.partial(kind, **{key: value for key, value in read.items() if key in known}))

    def __repr__(self) -> str:
        return f"<torch.optim {type(self._probe).__name__}, learning_rate={float(self._rate)}>"


def _is_torch_class(kind: Any) -> bool:
    """Whether this is a class of torch's optimizers."""
    return isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer


def from_torch(identifier: Any) -> TorchOptimizer | None:
    """Wrap a class, partial, factory or instance of torch's optimizers; None for anything else.

    Args:
        identifier: what `compile(optimizer=...)` was given.
    """
    if isinstance(identifier, torch.optim.Optimizer):
        return TorchOptimizer(type(identifier), identifier)
    if _is_torch_class(identifier):
        return TorchOptimizer(identifier)
    is_factory = inspect.isroutine(identifier) or isinstance(identifier, functools.partial)
    return TorchOptimizer(identifier) if is_factory else None


def _made(make: Callable[[Any], Any], params: list[Tensor]) -> torch.optim.Optimizer:
    try:
        made = make(params)
    except TypeError as error:
        raise InputError(f"The optimizer cannot be made from the model's parameters: {error}. {_FORMS}") from error
    if not isinstance(made, torch.optim.Optimizer):
        shown = getattr(make, "__name__", repr(make))
        raise InputError(f"{shown} gave {type(made).__name__}, not a torch.optim.Optimizer. {_FORMS}")
    return made


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Bring a loaded state into the weights' order in memory, which files of before had not; see `laid_out_like`."""
    for param, slots in optimizer.state.items():
        for name, value in slots.items():
            if isinstance(value, Tensor) and value.shape == param.shape:
                slots[name] = laid_out_like(param, value)
