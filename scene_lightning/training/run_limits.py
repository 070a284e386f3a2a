"""Shortens a `fit` to limits that are set from outside the program, with a History of the full length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scene_lightning._usage_report import ledger
from scene_lightning.errors import InputError


@dataclass(frozen=True)
class Trial:
    """How far each `fit` may go; None means as far as it is asked to.

    Attributes:
        epochs: epochs a `fit`.
        batches: batches an epoch, and a validation.
    """

    epochs: int | None = None
    batches: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batches"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"A trial run's limit on {name} must be at least 1; received {value}.")

    def last_epoch(self, initial_epoch: int, epochs: int) -> int:
        """Keras' `epochs` (the index at which `fit` ends), cut."""
        return epochs if self.epochs is None else min(epochs, initial_epoch + self.epochs)

    def steps(self, steps: int | None) -> int | None:
        """Batches an epoch, cut; None stays unknown where there is no limit."""
        if self.batches is None:
            return steps
        return self.batches if steps is None else min(steps, self.batches)

    def samples(self, samples: int | None, steps: int | None, batch_size: int | None) -> int | None:
        """Samples an epoch, cut where `steps` is; None when their number is unknown."""
        if samples is None or self.batches is None or (steps is not None and steps <= self.batches):
            return samples
        return None if batch_size is None else min(samples, self.batches * batch_size)

    def trainer_options(self, validates: bool) -> dict[str, Any]:
        """Arguments of Lightning's Trainer that keep to the limits.

        Args:
            validates: whether the run validates.
        """
        if self.batches is None:
            return {}
        return {"limit_train_batches": self.batches, **({"limit_val_batches": self.batches} if validates else {})}

    def validation_plan(self, plan: Callable[[int], bool], initial: int, end: int, asked: int) -> Callable[[int], bool]:
        """`plan`, but the last epoch of a shortened run validates if any of the epochs asked for would."""
        if end == asked or not any(plan(epoch) for epoch in range(initial, asked)):
            return plan
        return lambda epoch: plan(epoch) or epoch == end - 1

    def fill(self, history: Any, plan: Callable[[int], bool], initial: int, end: int, asked: int) -> None:
        """Repeat the last values up to the epochs that were asked for, so that plots over a fixed range still draw.

        Nothing is added when something else (early stopping, an error) ended the run first.
        """
        if end == asked or len(history.epoch) < end - initial:
            return
        full = {False: asked - initial, True: sum(plan(epoch) for epoch in range(initial, asked))}
        for name, values in history.history.items():
            missing = full[name.startswith("val_")] - len(values)
            values.extend(values[-1:] * missing)
        history.epoch.extend(range(end, asked))

    def note(self, initial: int, end: int, asked: int, steps: int | None, validates: bool) -> None:
        """Write into the ledger what was cut."""
        parts = []
        if end != asked:
            parts.append(f"{end - initial} of {asked - initial} epochs, the History filled up with the last values")
        if self.batches is not None and (steps is None or steps > self.batches):
            whole = "?" if steps is None else steps
            also = ", and as many to validate" if validates else ""
            parts.append(f"{self.batches} of {whole} batches an epoch{also}")
        if parts:
            ledger.limited.append("fit: " + "; ".join(parts))


_current = [Trial()]


def current_trial() -> Trial:
    """The limits that hold now."""
    return _current[0]


def set_trial(epochs: int | None = None, batches: int | None = None) -> None:
    """Cut every later `fit` to so many epochs and batches; without arguments, no longer.

    Args:
        epochs: the most that a `fit` runs; None for no limit.
        batches: the most in an epoch; None for no limit.
    """
    _current[0] = Trial(epochs, batches)
