"""Outcomes of trials in; which recipe to try next, which trial to stop, and what is known so far, out.

TPE proposes (Bergstra et al., 2011, "Algorithms for Hyper-Parameter Optimization"), the median rule stops (Golovin et
al., 2017, "Google Vizier"); both are Optuna's. The n-th trial draws from (seed, n), so a search that was interrupted
goes on as if it had not been.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scene_lightning.errors import InputError, RecipeError
from scene_lightning.recipes.recipe import Recipe, with_values
from scene_lightning.tuning.space import Space
from scene_lightning.tuning.storage import optuna
from scene_lightning.tuning.trial import Outcome

_COMPLETE, _PRUNED, _FAILED = "complete", "pruned", "failed"
_INTERRUPTED = "interrupted"
_STATES = {
    optuna.trial.TrialState.COMPLETE: _COMPLETE,
    optuna.trial.TrialState.PRUNED: _PRUNED,
    optuna.trial.TrialState.FAIL: _FAILED,
}
_WAITING = optuna.trial.TrialState.WAITING
_OPTUNAS = {state: found for found, state in _STATES.items()}
# What may differ between the halves of a search: where it runs, and under which name.
_FREE = ("name", "data.cache", "training.accelerator", "training.devices", "training.strategy", "training.num_nodes")
_LEAST_FOR_IMPORTANCE = 4  # completed trials; below, any number would be noise


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trial that was begun: its number in the storage, what was drawn, and the recipe that this makes."""

    number: int
    values: dict[str, Any]
    recipe: Recipe
    trial: Any


@dataclass(frozen=True)
class Row:
    """A trial that has ended. `accuracy` is its best epoch's (None: no epoch was finished), `state` "complete",
    "pruned", "failed" or "interrupted", `values` recipe key → what was drawn."""

    number: int
    state: str
    accuracy: float | None
    epoch: int | None
    epochs: int
    seconds: float | None
    parameters: int | None
    reason: str
    values: dict[str, Any]


class Search:
    """A study, and the recipe and the space that it is about.

    Args:
        study: of an opened storage, new or not.
        recipe: what the space varies. space: within which bounds.
        trials: how many in all, those of earlier runs included.
        data: classes and numbers of images, which all runs must share.
        said: called with each trial as it ends.

    Raises:
        InputError: the storage holds a search over something else.
    """

    def __init__(
        self,
        study: Any,
        recipe: Recipe,
        space: Space,
        trials: int,
        data: Mapping[str, Any],
        said: Callable[[Search, Row], None] = lambda search, row: None,
    ) -> None:
        self.study, self.recipe, self.space, self.trials, self.said = study, recipe, space, trials, said
        self._take_up({"data": dict(data), "space": space.dump(), "recipe": _flat(recipe)})
        self.earlier = len(self.counted())

    def _take_up(self, setup: dict[str, Any]) -> None:
        held = self.study.user_attrs.get("setup")
        if held is None:
            if self.study.get_trials(deepcopy=False):
                raise InputError("The storage holds a study of another program. Name another --storage.")
            self.study.set_user_attr("setup", json.dumps(setup))
            self._enqueue(self.space.parameters_of(self.recipe), {})  # what is to be beaten comes first
            return
        difference = _difference(json.loads(held), setup)
        if difference:
            raise InputError(
                f"The storage holds a search over something else: {difference}. Give the same DATA, --config, --space, "
                "--set, --epochs and --seed as then, or name another --storage."
            )
        for frozen in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            self._put_back(frozen.number, frozen.params)  # its process is gone: the storage is locked

    # -- trials ----------------------------------------------------------------------------------------------------

    def begin(self, running: int = 0) -> Candidate | None:
        """The next trial, or None when there are enough; recipes that cannot be are recorded as failed on the way.

        Args:
            running: trials that have begun and not ended.
        """
        while len(self.counted()) + running < self.trials:
            begun = sum(trial.state != _WAITING for trial in self.study.get_trials(deepcopy=False))
            seed = int(np.random.SeedSequence([self.recipe.training.seed, begun]).generate_state(1)[0])
            # constant_liar: trials that are still running count as bad ones, so that parallel ones spread out
            self.study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            trial = self.study.ask()
            values = self.space.draw(trial)
            try:
                return Candidate(trial.number, values, with_values(self.recipe, values), trial)
            except RecipeError as error:
                self._tell(trial, Outcome(_FAILED, reason=str(error).rstrip(".")))
        return None

    def heard(self, candidate: Candidate, epoch: int, accuracy: float) -> bool:
        """Take note of an epoch (from 1) of a trial; whether the trial should stop, being worse than the median."""
        candidate.trial.report(accuracy, epoch)
        return epoch < candidate.recipe.training.epochs and candidate.trial.should_prune()

    def end(self, candidate: Candidate, outcome: Outcome) -> Row:
        """Record how a trial ended."""
        return self._tell(candidate.trial, outcome)

    def interrupt(self, candidate: Candidate) -> None:
        """Record that a trial was cut off; it comes first when the search goes on."""
        self._put_back(candidate.number, candidate.trial.params)

    def _tell(self, trial: Any, outcome: Outcome) -> Row:
        trial.set_user_attr("outcome", asdict(outcome))
        value = outcome.accuracy if outcome.state == _COMPLETE else None
        self.study.tell(trial, value, state=_OPTUNAS[outcome.state])
        row = self.row(self.study.trials[trial.number])
        self.said(self, row)
        return row

    def _put_back(self, number: int, parameters: dict[str, Any]) -> None:
        self.study.set_user_attr(_INTERRUPTED, [*self.study.user_attrs.get(_INTERRUPTED, []), number])
        self._enqueue(parameters, {"again": number})
        self.study.tell(number, state=optuna.trial.TrialState.FAIL)

    def _enqueue(self, parameters: dict[str, Any], about: dict[str, Any]) -> None:
        if parameters:
            self.study.enqueue_trial(parameters, user_attrs=about)

    # -- what is known ---------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All trials that have ended, in their order."""
        return [self.row(frozen) for frozen in self.study.trials if frozen.state in _STATES]

    def counted(self) -> list[Row]:
        """Those that count: not the ones that were cut off."""
        return [row for row in self.rows() if row.state != _INTERRUPTED]

    def row(self, frozen: Any) -> Row:
        """What the storage tells of a trial that has ended."""
        told = dict(frozen.user_attrs.get("outcome") or asdict(Outcome(_STATES[frozen.state])))
        if frozen.number in self.study.user_attrs.get(_INTERRUPTED, []):
            told["state"] = _INTERRUPTED
        return Row(number=frozen.number, values=self._values(frozen.params), **told)

    def _values(self, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.space.draw(optuna.trial.FixedTrial(parameters))
        except ValueError:  # cut off while it was being drawn
            return {}

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
