"""Lets a user's model bring Lightning steps and hooks of its own, run in their phase and reported by what they log.

Lightning's own hooks do nothing, so nobody who overrides one calls `super()`. Here they keep the metrics, the phase and
the checkpoint in order: a class that overrides one gets both, this package's and its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.core.hooks import DataHooks, ModelHooks

from scene_lightning.errors import InputError
from scene_lightning.layers.base.phase import training_phase
from scene_lightning.training.metric_states import MetricStates
from scene_lightning.training.steps import KerasSteps, attached_metrics, takes, takes_batch_index, without_nones

# step → whether layers that are called in it train (Dropout drops, BatchNormalization takes the batch's statistics)
_STEPS = {"training_step": True, "validation_step": False, "test_step": False, "predict_step": False}
_HOOKS = (
    "setup", "teardown", "on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_epoch_end",
    "on_validation_epoch_start", "on_validation_epoch_end", "on_test_epoch_start", "on_test_epoch_end",
    "on_save_checkpoint", "on_load_checkpoint", "configure_callbacks",
)  # fmt: skip
_LIGHTNINGS = {name for hooks in (ModelHooks, DataHooks) for name in vars(hooks) if not name.startswith("_")}
_LIGHTNINGS |= {*_STEPS, *_HOOKS, "configure_model"}
_OWN_FIRST = ("setup", "teardown")  # hooks of which the user's own comes before this package's


class OwnSteps(KerasSteps):
    """Which steps of a `TrainableModule` are the user's, and what that means for its logs."""

    _logged_for_user: frozenset[str] = frozenset()  # what the compiled metrics logged

    def brings(self, name: str) -> bool:
        """Whether the user's class has a Lightning step (or `configure_optimizers`) of its own under this name.

        Args:
            name: of the method.
        """
        return _is_users(type(self), name)

    @property
    def has_own_hooks(self) -> bool:
        """Whether the user's class, or this very model, has a Lightning step or hook of its own."""
        cls = type(self)  # asked anew each time: a program may put a step of its own into a class, and take it away
        return any(_is_users(cls, name) for name in _LIGHTNINGS) or not _LIGHTNINGS.isdisjoint(self.__dict__)

    @property
    def reports_by_itself(self) -> bool:
        """Whether the logs of a run are what the user's steps give to `self.log`."""
        return self.brings("training_step") or self.brings("validation_step")

    def _speaks_for(self, step: str, container: str) -> bool:
        """Whether the compiled metrics saw the batches of this step: by our step, or by `super()` in the user's."""
        if not self.compiled or getattr(self, container).has_seen_batches:
            return self.compiled
        if self.brings(step):
            return False
        if step == "training_step":
            return self.overrides("train_step")
        return self.overrides("test_step") or (self._trainer is not None and self._trainer.world_size > 1)

    def _require_ready(self, step: str) -> None:
        """An InputError unless the model was compiled, or can do without: it has the step itself."""
        if self.compiled:
            return
        if not self.brings(step):
            raise InputError(
                "You must call `compile()` before using the model. (As a LightningModule it may instead define "
                f"{step}(self, batch, batch_idx)"
                + (" and configure_optimizers(self).)" if step == "training_step" else ".)")
            )
        if step == "training_step" and not self.brings("configure_optimizers"):
            raise InputError(
                f"{type(self).__name__} has a training_step but no optimizer: define configure_optimizers(self), or "
                'call compile(optimizer="adam").'
            )

    def logged(self) -> dict[str, float]:
        """What the user's steps have logged so far, by the names they gave."""
        if self._trainer is None or not self.reports_by_itself:
            return {}
        values = self._trainer.callback_metrics
        return {name: float(value) for name, value in values.items() if name not in self._logged_for_user}

    def as_step_batch(self, batch: Any, step: str, dataloader_idx: int) -> Any:
        """A feed's (x, y, sample_weight) as a step of the user's own knows it: without what there is none of.

        Args:
            batch: (x, y, sample_weight), with None for what is not there.
            step: the step's name, such as "training_step".
            dataloader_idx: which loader it comes from, for `on_after_batch_transfer`.
        """
        hooked = type(self).on_after_batch_transfer is not L.LightningModule.on_after_batch_transfer
        if self.brings(step) or hooked:
            batch = without_nones(batch)
        return self.on_after_batch_transfer(batch, dataloader_idx) if hooked else batch

    def _interrupt_the_epoch(self) -> None:
        """A validation begins: keep the logs of training, for metrics of the user's own serve both phases."""
        self._epoch_logs = self.train_logs()
        self._epoch_states = MetricStates(attached_metrics(self))

    def _go_on_with_the_epoch(self) -> None:
        """A validation in the middle of an epoch (Lightning's `val_check_interval`) is over: count on."""
        if self._epoch_states is not None:
            self._epoch_states.give_back()
            self._epoch_logs = self._epoch_states = self._step_logs = None

    def train_logs(self, sync: bool = True) -> dict[str, Any]:
        """The logs of training so far; once a validation has begun, those from before it.

        Args:
            sync: whether metrics are summed over all processes; False for the logs of a batch.
        """
        if not self._speaks_for("training_step", "_train_metrics"):
            return {}
        return self._logs(sync) if self._epoch_logs is None else self._epoch_logs

    def test_logs(self, sync: bool = True) -> dict[str, Any]:
        """The logs of the evaluation so far.

        Args:
            sync: whether metrics are summed over all processes; False for the logs of a batch.
        """
        if not self._speaks_for("validation_step", "_val_metrics"):
            return {}
        with self._evaluation():
            return self._logs(sync)


def join_own(cls: Any) -> None:
    """Called for each subclass of `TrainableModule`: put its steps into their phase, and both hooks into one."""
    for name, training in _STEPS.items():
        if _is_users(cls, name) and not hasattr(getattr(cls, name), "_in_phase"):
            setattr(cls, name, _in_phase(getattr(cls, name), training))
    for name in _HOOKS:
        if _is_users(cls, name) and not hasattr(getattr(cls, name), "_joined"):
            setattr(cls, name, _joined(getattr(cls, name), getattr(_root(cls), name), name in _OWN_FIRST))
    if not _is_of_this_package(cls.forward) and not takes(cls.forward, "training"):
        cls.forward = _taking_training(cls.forward)


def _root(cls: type) -> Any:
    """`TrainableModule`, which this file cannot import."""
    return next(base for base in cls.__mro__ if OwnSteps in base.__bases__)


def _is_users(cls: Any, name: str) -> bool:
    own = getattr(cls, name, None)
    if not callable(own) or own is getattr(_root(cls), name, None):
        return False
    return name != "test_step" or takes_batch_index(own)


def _is_of_this_package(function: Any) -> bool:
    return function.__module__.partition(".")[0] == __name__.partition(".")[0]


def _taking_training(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A torch-style `forward(self, x)`, called as Keras' models are: with `training=`, which goes to layers inside."""

    @functools.wraps(forward)
    def run(self: L.LightningModule, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        with training_phase(training):
            return forward(self, *args, **kwargs)

    run.__module__ = __name__  # done: a subclass inherits it
    return run


def _in_phase(step: Callable[..., Any], training: bool) -> Callable[..., Any]:
    @functools.wraps(step)
    def run(self: L.LightningModule, *args: Any, **kwargs: Any) -> Any:
        with training_phase(training):
            return step(self, *args, **kwargs)

    run._in_phase = training  # type: ignore[attr-defined]
    return run


def kept_hook(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Of this package's hooks: does nothing when the user's, which it went before, calls it again by `super()`.

    Args:
        hook: one of this package's Lightning hooks.
    """

    @functools.wraps(hook)
    def run(self: L.LightningModule, *args: Any, **kwargs: Any) -> Any:
        return None if hook.__name__ in self.__dict__.get("_hooks_done", ()) else hook(self, *args, **kwargs)

    return run


def _joined(own: Callable[..., Any], ours: Callable[..., Any], own_first: bool) -> Callable[..., Any]:
    name = own.__name__

    @functools.wraps(own)
    def both(self: L.LightningModule, *args: Any, **kwargs: Any) -> Any:
        done = self.__dict__.setdefault("_hooks_done", set())
        if own_first:
            result = own(self, *args, **kwargs)
            ours(self, *args, **kwargs)
            return result
        if name in done:  # a class between came here by super()
            return own(self, *args, **kwargs)
        ours(self, *args, **kwargs)
        done.add(name)
        try:
            return own(self, *args, **kwargs)
        finally:
            done.discard(name)

    both._joined = True  # type: ignore[attr-defined]
    return both
