"""Which trials are stopped, which fail, and which is the best."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scene_lightning.recipes.recipe import Recipe, load_recipe
from scene_lightning.tuning import trial
from scene_lightning.tuning.report import write_pictures
from scene_lightning.tuning.search import _runner
from scene_lightning.tuning.trial import Outcome, PruningCallback, TrialRunner
from tests.tuning.searches import FakeRunner, finish, search_in


class Curve(FakeRunner):
    """Trials with the accuracies given, one an epoch."""

    def __init__(self, accuracies: list[float]) -> None:
        super().__init__()
        self.accuracies, self.done = accuracies, 0

    def run(self, recipe: Recipe, trial: Any) -> Outcome:
        self.seen.append(())
        callback = PruningCallback(trial, recipe.training.epochs)
        callback.set_model(SimpleNamespace(stop_training=False))
        for epoch, accuracy in enumerate(self.accuracies):
            callback.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": accuracy})
            if callback.model.stop_training:
                break
        self.done = len(callback.accuracies)
        state = "pruned" if callback.pruned else "complete"
        return Outcome(state=state, accuracy=max(callback.accuracies), epoch=1, epochs=self.done)


def test_the_median_rule_stops_bad_trials_but_never_at_the_first_or_last_epoch(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 20, "epochs=4") as search:
        good, bad, late = Curve([0.6, 0.7, 0.8, 0.9]), Curve([0.2] * 4), Curve([0.7, 0.8, 0.9, 0.1])
        search.run(good, lambda: len(good.seen) == 6)
        for runner in (bad, late):
            search.run(runner, lambda runner=runner: bool(runner.seen))
        assert (good.done, bad.done, late.done) == (4, 2, 4)
        row = search.rows()[6]
        assert (row.state, row.accuracy, row.number) == ("pruned", 0.2, 6) and search.best()[0].number == 0


def test_recipes_that_cannot_be_fail_with_their_reason_and_the_search_goes_on(place: Path, tmp_path: Path) -> None:
    (tmp_path / "deep.yaml").write_text("filters: [[2], [2, 2, 2, 2, 2, 2]]\nlearning_rate: [1e-3, 1e-2]")
    with search_in(place, tmp_path / "s.db", 12, space=str(tmp_path / "deep.yaml")) as search:
        finish(search)
        failed = [row for row in search.rows() if row.state == "failed"]
        assert failed and len(search.rows()) == 12 and search.best()
        assert all("16 x 16 is too small for 6 blocks" in row.reason for row in failed)
        assert all(row.values["model.filters"] == [2] * 6 for row in failed)


def test_the_winner_is_a_recipe_with_the_best_trials_values(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 9) as search:
        assert search.winner() is None
        finish(search)
        best, winner = search.best()[0], search.winner()
        assert winner is not None and best.accuracy == max(row.accuracy or 0 for row in search.rows())
        assert winner.training.learning_rate == best.values["training.learning_rate"]
        assert winner.training.batch_size == best.values["training.batch_size"]
        assert list(winner.model.filters) == best.values["model.filters"]
        assert (winner.name, winner.training.epochs, winner.model.input_size) == ("tiny-tuned", 2, (16, 16))


def test_importance_finds_what_decides(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 24) as search:
        finish(search, 2)
        assert search.importance() == {}  # too few to say
        finish(search)
        shares = search.importance()
        assert next(iter(shares)) == "training.learning_rate" and sum(shares.values()) == pytest.approx(1)
        assert write_pictures(search, tmp_path) == ["history.png", "importance.png"]
    for name in ("history.png", "importance.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 600 and np.asarray(image.convert("L")).std() > 5


class RecordingTrial:
    """Stands for Optuna's trial: remembers what is reported to it, and ends the training after epoch `stop`."""

    def __init__(self, stop: int | None = None) -> None:
        self.reported: list[tuple[int, float]] = []
        self.stop = stop

    def report(self, value: float, step: int) -> None:
        self.reported.append((step, value))

    def should_prune(self) -> bool:
        return self.reported[-1][0] == self.stop


def runner_of(place: Path, *overrides: str) -> TrialRunner:
    return _runner(str(place / "scenes"), load_recipe(place / "tiny.yaml", overrides), strict=True, jobs=1)


def test_trials_see_the_training_images_only_and_these_are_decoded_once(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = trial.decode_all

    def counted(recipe, table, **options):
        decoded.extend(table.paths)
        return real(recipe, table, **options)

    monkeypatch.setattr(trial, "decode_all", counted)
    runner = runner_of(place)
    reports = RecordingTrial()
    for rate in ("0.01", "0.001"):
        recipe = load_recipe(place / "tiny.yaml", [f"learning_rate={rate}"])
        outcome = runner.run(recipe, reports)
        assert (outcome.state, outcome.epochs, outcome.reason) == ("complete", 2, "")
        assert outcome.accuracy == max(accuracy for _, accuracy in reports.reported[-2:]) and outcome.parameters
    assert [epoch for epoch, _ in reports.reported] == [1, 2, 1, 2]
    assert len(decoded) == 48 == len(set(decoded))
    assert all("seg_train" in path for path in decoded)
    assert len(runner.splits.validation) == 12


def test_a_trial_that_is_told_to_stop_is_pruned(place: Path, here: Path) -> None:
    recipe = load_recipe(place / "tiny.yaml", ["epochs=3"])
    outcome = runner_of(place).run(recipe, RecordingTrial(stop=2))
    assert (outcome.state, outcome.epochs) == ("pruned", 2)


def test_a_trial_whose_loss_explodes_fails_with_the_reason(place: Path, here: Path) -> None:
    recipe = load_recipe(place / "tiny.yaml", ["optimizer=sgd", "learning_rate=1e30"])
    outcome = runner_of(place).run(recipe, RecordingTrial())
    assert outcome.state == "failed" and "no finite number" in outcome.reason and "learning rate" in outcome.reason
