"""Decides which recipe a search tries next and when it stops, and tells what is known of its trials.

TPE proposes (Bergstra et al., 2011, "Algorithms for Hyper-Parameter Optimization"), the median rule stops (Golovin et
al., 2017, "Google Vizier"); both are Optuna's. The n-th trial draws from (seed, n), so a search that was interrupted
goes on as if it had not been.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scene_lightning.errors import InputError, RecipeError
from scene_lightning.recipes.recipe import Recipe, with_values
from scene_lightning.tuning.space import Space
from scene_lightning.tuning.storage import MOST_REPEATS, optuna, turn
from scene_lightning.tuning.trial import Outcome, TrialRunner

_COMPLETE, _FAILED, _INTERRUPTED = "complete", "failed", "interrupted"
_KILLED = "its process was killed{}, perhaps for want of memory".format(" twice" if MOST_REPEATS else "")
_STATE = optuna.trial.TrialState
_history = optuna.storages.RetryHeartbeatStaleTrialCallback.retry_history
# What may differ between the halves of a search: where it runs, and under which name.
_FREE = ("name", "data.cache", "training.accelerator", "training.devices", "training.strategy", "training.num_nodes")
_LEAST_FOR_IMPORTANCE = 4  # completed trials; below, any number would be noise


class TrialFailed(Exception):
    """A trial could not be finished; its reason stands in its outcome."""


@dataclass(frozen=True, kw_only=True)
class Row(Outcome):
    """A trial that has ended: its outcome, whose `state` may be "interrupted", too.

    Attributes:
        number: of the trial in the storage.
        values: recipe key → what was drawn.
    """

    number: int
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Search:
    """A study, and the recipe and the space that it is about; several processes may work on it at once.

    Args:
        study: of an opened storage, new or not.
        path: the storage's.
        recipe: what the space varies.
        space: within which bounds.
        trials: how many in all, those of earlier runs included.
        data: classes and numbers of images, which all runs must share.
        on_end: called with each trial that has ended since this search was opened.

    Raises:
        InputError: the storage holds a search over something else.
    """

    study: optuna.Study
    path: Path
    recipe: Recipe
    space: Space
    trials: int
    data: Mapping[str, Any]
    on_end: Callable[[Search, Row], None] = lambda search, row: None

    def __post_init__(self) -> None:
        with turn(self.path):
            setup = {"data": dict(self.data), "space": self.space.dump(), "recipe": _flat(self.recipe)}
            self._require_same(setup)
            self._repeat_cut_off()
        self._announced = {row.number for row in self.counted()}
        self.earlier = len(self._announced)

    def _require_same(self, setup: dict[str, Any]) -> None:
        held = self.study.user_attrs.get("setup")
        if held is not None:
            difference = _difference(json.loads(held), setup)
            if difference:
                raise InputError(
                    f"The storage holds a search over something else: {difference}. Give the same DATA, --config, "
                    "--space, --set, --epochs and --seed as then, or name another --storage."
                )
        elif self.study.get_trials(deepcopy=False):
            raise InputError("The storage holds a study of another program. Name another --storage.")
        else:
            self.study.set_user_attr("setup", json.dumps(setup))
            self.study.enqueue_trial(self.space.parameters_of(self.recipe))  # what is to be beaten comes first

    def _repeat_cut_off(self) -> None:
        """Try again what failed without an outcome: a disk was full. (Optuna sees to killed processes.)"""
        trials = self.study.get_trials(deepcopy=False)
        repeated = _repeated(trials)
        for trial in trials:
            cut_off = trial.state == _STATE.FAIL and "outcome" not in trial.user_attrs
            if cut_off and trial.number not in repeated and len(_history(trial)) < MOST_REPEATS:
                self.study.enqueue_trial(trial.params, user_attrs={"again": trial.number})

    def for_worker(self) -> tuple[Any, ...]:
        """What another process needs to open this search: `Search(study, *arguments)`."""
        return self.path, self.recipe, self.space, self.trials, self.data

    # -- trials ----------------------------------------------------------------------------------------------------

    def run(self, runner: TrialRunner, is_over: Callable[[], bool] = lambda: False, *, announce: bool = False) -> None:
        """Run trials, one after the other, until there are enough; trials whose process was killed come first.

        Args:
            runner: trains a trial.
            is_over: asked before each trial; true ends the search.
            announce: call `on_end` after each trial.
        """
        callbacks = [lambda study, trial: self.announce()] if announce else []
        waits = False
        while not is_over():
            with ExitStack() as begin:
                begin.enter_context(turn(self.path))
                optuna.storages.fail_stale_trials(self.study)
                trials = self.study.get_trials(deepcopy=False)
                missing = self.trials - len(self.counted())
                if missing <= 0:
                    return
                running = [trial for trial in trials if trial.state == _STATE.RUNNING]
                if missing > len(running):
                    begun = sum(trial.state != _STATE.WAITING for trial in trials) - len(_repeated(trials))
                    seed = int(np.random.SeedSequence([self.recipe.training.seed, begun]).generate_state(1)[0])
                    # constant_liar: trials that are still running count as bad ones, so that parallel ones spread out
                    self.study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
                    with suppress(optuna.exceptions.UpdateFinishedTrialError):  # it slept, and another one began anew
                        objective = partial(self._try, runner, begin)
                        self.study.optimize(objective, n_trials=1, catch=(TrialFailed,), callbacks=callbacks)
                    continue
                for trial in [] if waits else running:  # one whose process had no time for a heartbeat ends so, too
                    self.study._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
            waits = True
            time.sleep(1)  # the last trials run elsewhere: should their process be killed, they come again

    def _try(self, runner: TrialRunner, begin: ExitStack, trial: optuna.Trial) -> float:
        """Optuna's objective: draw values, let others begin trials, train."""
        try:
            values = self.space.draw(trial)
            begin.close()
            try:
                recipe = with_values(self.recipe, values)
            except RecipeError as error:
                outcome = Outcome(state=_FAILED, reason=str(error).rstrip("."))
            else:
                outcome = runner.run(recipe, trial)
        except KeyboardInterrupt:
            with ignore_sigint():
                self.study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
            raise
        trial.set_user_attr("outcome", asdict(outcome))
        if outcome.state == _FAILED:
            raise TrialFailed(outcome.reason)
        if outcome.state != _COMPLETE or outcome.accuracy is None:
            raise optuna.TrialPruned
        return outcome.accuracy

    def announce(self) -> None:
        """Call `on_end` with the trials that have ended since the last time."""
        for row in self.counted():
            if row.number not in self._announced:
                self._announced.add(row.number)
                self.on_end(self, row)

    # -- what is known ---------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All trials that have ended, in their order."""
        trials = self.study.get_trials(deepcopy=False)
        repeated = _repeated(trials)
        return [self._row(trial, trial.number in repeated) for trial in trials if trial.state.is_finished()]

    def counted(self) -> list[Row]:
        """Those that count: not the ones that were cut off."""
        return [row for row in self.rows() if row.state != _INTERRUPTED]

    def _row(self, trial: optuna.trial.FrozenTrial, repeated: bool) -> Row:
        outcome = dict(trial.user_attrs.get("outcome", {"state": _FAILED, "reason": _KILLED}))
        if repeated:
            outcome.update(state=_INTERRUPTED, reason="")
        try:
            values = self.space.draw(optuna.trial.FixedTrial(trial.params))
        except ValueError:  # cut off while it was being drawn
            values = {}
        return Row(number=trial.number, values=values, **outcome)

    def best(self) -> list[Row]:
        """The completed trials, the best first, the earlier one first where two are equal."""
        completed = [row for row in self.rows() if row.state == _COMPLETE]
        return sorted(completed, key=lambda row: (-(row.accuracy or 0), row.number))

    def winner(self) -> Recipe | None:
        """The best trial's recipe, under a name of its own; None while no trial is complete."""
        best = self.best()
        if not best:
            return None
        return with_values(self.recipe, {**best[0].values, "name": f"{self.recipe.name}-tuned"})

    def importance(self) -> dict[str, float]:
        """Parameter → its share of what tells good trials from others, the largest first; empty when it cannot be told.

        PED-ANOVA (Watanabe et al., 2023), over the completed trials.
        """
        completed = len(self.best())
        if completed < _LEAST_FOR_IMPORTANCE:
            return {}
        # Good is the best tenth; Optuna's documentation asks for five trials in it, so of few trials it is more.
        share = min(0.5, max(0.1, 5 / completed))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that trials are few is said in the picture
            raw = optuna.importance.get_param_importances(self.study, evaluator=evaluator, normalize=False)
        total = sum(value for value in raw.values() if math.isfinite(value))
        if total <= 0:
            return {}
        shares = {name: float(value) / total for name, value in raw.items() if math.isfinite(value)}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _repeated(trials: list[optuna.trial.FrozenTrial]) -> set[int]:
    """The numbers of trials that were cut off, and that another trial repeats."""
    interrupted = {trial.user_attrs["again"] for trial in trials if "again" in trial.user_attrs}
    return interrupted.union(*(_history(trial) for trial in trials))


@contextmanager
def ignore_sigint() -> Iterator[None]:
    """Within the block Ctrl-C does nothing; outside the main thread, which alone hears it, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Whole dotted key → value, as JSON has it."""
    return dict(_leaves(recipe.model_dump(mode="json"), ""))


def _leaves(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _difference(held: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first thing in which two setups differ, in words; empty for equal ones."""
    if held["data"] != asked["data"]:
        changed = [name for name in asked["data"] if held["data"].get(name) != asked["data"][name]]
        name = changed[0] if changed else "data"
        return f"{name} then {held['data'].get(name)}, now {asked['data'].get(name)}"
    then, now = held["recipe"], asked["recipe"]
    for key in now:
        if key not in _FREE and key in then and then[key] != now[key]:
            return f"{key} was {then[key]}, now {now[key]}"
    if held["space"] != asked["space"]:
        old, new = held["space"].splitlines(), asked["space"].splitlines()
        changed = [line for line in new if line not in old] or [line for line in old if line not in new]
        return f"the space differs in '{(changed or ['the order of its keys'])[0]}'"
    return ""
