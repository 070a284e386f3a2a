"""Searches: what a storage remembers, which trials are stopped, what fails, and the command from end to end."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scene_lightning import tuning
from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Recipe, load_recipe
from scene_lightning.tuning import storage, trial
from scene_lightning.tuning.report import write_pictures
from scene_lightning.tuning.search import _runner
from scene_lightning.tuning.space import load_space
from scene_lightning.tuning.storage import opened, optuna, storage_path
from scene_lightning.tuning.study import Search
from scene_lightning.tuning.trial import Outcome, PruningCallback, TrialRunner
from scene_lightning.tuning.workers import run_trials

RECIPE = """
model: {filters: [4], dense: [], input_size: [16, 16], dropout: 0, dense_dropout: 0}
data: {interpolation: bilinear, val_split: 0.25}
training: {epochs: 2, batch_size: 16, accelerator: cpu, early_stopping: off}
"""
SPACE = """
learning_rate: {type: float, low: 1e-3, high: 1e-1, log: true}
batch_size: {type: int, low: 8, high: 32, step: 8}
filters: {type: layers, low: 1, high: 2, width: [2, 4]}
"""
DATA = {"classes": ["a", "b"], "images": "8 to train on, 2 to judge by"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes/{seg_train,seg_test}, of which nothing in seg_test can be read, tiny.yaml and space.yaml."""
    folder = tmp_path_factory.mktemp("tuning")
    draw_scenes(folder / "scenes", 8, test_per_class=2, predict=1, size=24)
    for path in (folder / "scenes" / "seg_test").rglob("*.jpg"):
        path.write_text("whoever opens this has looked at the test images")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "space.yaml").write_text(SPACE)
    return folder


@pytest.fixture
def here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and a cache of this module's own."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(place / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def search_in(place: Path, file: Path, trials: int, *overrides: str, space: str = "space.yaml") -> Iterator[Search]:
    recipe = load_recipe(place / "tiny.yaml", overrides)
    with opened(file) as study:
        yield Search(study, file, recipe, load_space(str(place / space), recipe), trials, DATA)


class FakeRunner(TrialRunner):
    """Trials whose accuracy follows from the learning rate alone; what was drawn for each."""

    def __init__(self, folder: Path = Path(), cut: int | None = None, on: Callable[[], object] = list) -> None:
        super().__init__(None, {"accelerator": "cpu"}, folder=folder)  # type: ignore[arg-type]
        self.seen: list[tuple[object, ...]] = []
        self.cut, self.on = cut, on

    def run(self, recipe: Recipe, trial: Any) -> Outcome:
        drawn = (recipe.training.learning_rate, recipe.training.batch_size, recipe.model.filters)
        self.seen.append(drawn)
        if len(self.seen) == self.cut:
            self.on()
        accuracy = 1 - abs(np.log10(recipe.training.learning_rate or 1) + 2) / 2
        return Outcome(state="complete", accuracy=float(accuracy), epoch=1, epochs=2)


def finish(search: Search, most: int = 1000) -> list[tuple[object, ...]]:
    """Run at most so many trials; what was drawn for each."""
    runner = FakeRunner()
    search.run(runner, lambda: len(runner.seen) >= most)
    return runner.seen


def interrupt() -> None:
    raise KeyboardInterrupt


# -- the storage -------------------------------------------------------------------------------------------------------


def test_a_search_that_stopped_goes_on_as_if_it_had_not(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "whole.db", 14) as search:
        whole = finish(search)
    halves = []
    for trials in (5, 13, 14):
        with search_in(place, tmp_path / "halves.db", trials) as search:
            halves += finish(search)
    assert halves == whole and len(set(whole)) > 10
    with search_in(place, tmp_path / "halves.db", 14) as search:
        assert finish(search) == [] and search.earlier == 14


def test_the_recipes_own_values_come_first(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 2) as search:
        assert finish(search)[0] == (1e-3, 16, (4,))
        assert search.rows()[0].values["model.filters"] == [4]


def test_ctrl_c_loses_nothing_and_changes_nothing(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "whole.db", 14) as search:
        whole = finish(search)
    done = []
    for cut in (1, 3, 1, 6):
        runner = FakeRunner(cut=cut, on=interrupt)
        with search_in(place, tmp_path / "s.db", 14) as search, pytest.raises(KeyboardInterrupt):
            search.run(runner)
        done += runner.seen[:-1]
    with search_in(place, tmp_path / "s.db", 14) as search:
        assert search.earlier == len(done) == 7
        assert done + finish(search) == whole
        assert [row.state for row in search.rows()].count("interrupted") == 4
        assert len(search.counted()) == 14


def kill_in(place: Path, file: Path, number: int, after: float = 0.5) -> None:
    """Another process works on the search and is killed during its trial of that number, counted from 1."""
    code = (
        "import os, signal, sys, time; from pathlib import Path\n"
        "from tests.tuning.test_search import FakeRunner, search_in\n"
        "with search_in(Path(sys.argv[1]), Path(sys.argv[2]), 5) as search:\n"
        "    kill = lambda: (time.sleep(float(sys.argv[4])), os.kill(os.getpid(), signal.SIGKILL))\n"
        "    search.run(FakeRunner(cut=int(sys.argv[3]), on=kill))\n"
    )
    words = [sys.executable, "-c", code, str(place), str(file), str(number), str(after)]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL


def test_the_trial_of_a_killed_process_is_repeated_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with search_in(place, tmp_path / "whole.db", 5) as search:
        whole = finish(search)
    kill_in(place, tmp_path / "s.db", 3)
    monkeypatch.setattr(storage, "GRACE_SECONDS", 1)
    time.sleep(2.1)
    with search_in(place, tmp_path / "s.db", 5) as search:
        assert search.earlier == 2 and finish(search) == whole[2:]
        assert [row.state for row in search.rows()] == ["complete"] * 2 + ["interrupted"] + ["complete"] * 3
    kill_in(place, tmp_path / "at once.db", 3, after=0)  # perhaps before its first heartbeat
    with search_in(place, tmp_path / "at once.db", 5) as search:
        assert sorted([*whole[:2], *finish(search)]) == sorted(whole)
    for number in (1, 1):
        kill_in(place, tmp_path / "twice.db", number)
        time.sleep(2.1)
        with search_in(place, tmp_path / "twice.db", 5) as search:
            optuna.storages.fail_stale_trials(search.study)
    with search_in(place, tmp_path / "twice.db", 5) as search:
        finish(search)
        assert [row.state for row in search.rows()] == ["interrupted", "failed"] + ["complete"] * 4
        assert "killed twice" in search.rows()[1].reason


class KilledOnce(FakeRunner):
    """Runs trials in workers; the first one is killed, wherever it runs."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        storage.GRACE_SECONDS, storage.HEARTBEAT_SECONDS = 4, 1  # in the worker
        self.__dict__.update(state)
        (self.folder / f"worker {os.getpid()}").touch()

    def run(self, recipe: Recipe, trial: Any) -> Outcome:
        outcome = super().run(recipe, trial)
        with (self.folder / "drawn.txt").open("a") as file:
            file.write(f"{os.getpid()} {self.seen[-1]}\n")
        try:
            (self.folder / "killed").mkdir()
        except FileExistsError:
            for _ in range(600):  # the others are there, too
                if len(list(self.folder.glob("worker *"))) == 3:
                    break
                time.sleep(0.1)
            return outcome
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_workers_share_the_trials_and_one_that_is_killed_is_replaced(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 12) as search:
        assert run_trials(search, KilledOnce(tmp_path), 2, None)
        rows = search.rows()
    assert sorted(row.state for row in rows) == ["complete"] * 12 + ["interrupted"]
    drawn = [line.split(" ", 1) for line in (tmp_path / "drawn.txt").read_text().splitlines()]
    assert len(drawn) == 13 and len(list(tmp_path.glob("worker *"))) == 3
    cut = next(row for row in rows if row.state == "interrupted")
    assert sum(row.values == cut.values for row in rows) == 2


def test_a_full_disk_is_one_error_and_the_search_goes_on_after_it(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 40) as search:
        finish(search, 3)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tests.tuning.test_search import finish, search_in\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); size = Path(sys.argv[2]).stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))\n"
        "with search_in(Path(sys.argv[1]), Path(sys.argv[2]), 40) as search: finish(search)\n"
    )
    words = [sys.executable, "-c", code, str(place), str(tmp_path / "s.db")]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "InputError: --storage" in done.stderr and "cannot be used" in done.stderr
    with search_in(place, tmp_path / "s.db", 40) as search:
        assert 3 <= search.earlier < 40
        search.study._storage._backend.grace_period = 1  # type: ignore[attr-defined]
        time.sleep(2.1)
        finish(search)
        assert len(search.counted()) == 40 and all(row.state != "failed" for row in search.rows())


@pytest.mark.parametrize(
    ("overrides", "space", "said"),
    [
        (["epochs=3"], SPACE, "training.epochs was 2, now 3"),
        (["seed=1"], SPACE, "training.seed was 777, now 1"),
        ([], SPACE.replace("high: 32", "high: 64"), "the space differs in 'training.batch_size: .*high: 64"),
    ],
)
def test_a_storage_is_of_one_search(place: Path, tmp_path: Path, overrides: list[str], space: str, said: str) -> None:
    with search_in(place, tmp_path / "s.db", 1) as search:
        finish(search)
    (tmp_path / "other.yaml").write_text(space)
    other = search_in(place, tmp_path / "s.db", 1, *overrides, space=str(tmp_path / "other.yaml"))
    with pytest.raises(InputError, match=f"a search over something else: {said}"), other:
        pass
    with search_in(place, tmp_path / "s.db", 1, "accelerator=auto"):
        pass  # where it runs may change


def test_two_searches_in_one_storage_share_its_trials(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 6) as one, search_in(place, tmp_path / "s.db", 6) as other:
        seen = list(itertools.chain.from_iterable(finish(search, 1) for search in (one, other, one, other)))
        assert len(set(seen)) == 4
        running = FakeRunner(cut=1, on=lambda: seen.extend(finish(other, 1)))  # begins while one of `one` runs
        one.run(running, lambda: bool(running.seen))
        assert [len(search.counted()) for search in (one, other)] == [6, 6] and finish(one) == []
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_files_of_others_are_no_storage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine, and long enough to have a header")
    with sqlite3.connect(tmp_path / "theirs.db") as database:
        database.execute("CREATE TABLE songs (name TEXT)")
    (tmp_path / "hurt.db").write_bytes(b"SQLite format 3\0" + b"x" * 500)
    for name, said in (
        ("notes.txt", "cannot be read: file is not a database"), ("theirs.db", "another program's database"),
        ("hurt.db", "cannot be read"),
        ("", "is a folder"), ("mysql://host/name", "expected the path of an SQLite file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            storage_path(name if "//" in name else str(tmp_path / name))
    assert storage_path(f"sqlite:///{tmp_path}/new.db") == tmp_path / "new.db"


# -- trials ------------------------------------------------------------------------------------------------------------


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


class Told:
    """Stands for Optuna's trial: remembers what it is told, and ends the training after epoch `stop`."""

    def __init__(self, stop: int | None = None) -> None:
        self.told: list[tuple[int, float]] = []
        self.stop = stop

    def report(self, value: float, step: int) -> None:
        self.told.append((step, value))

    def should_prune(self) -> bool:
        return self.told[-1][0] == self.stop


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
    reports = Told()
    for rate in ("0.01", "0.001"):
        recipe = load_recipe(place / "tiny.yaml", [f"learning_rate={rate}"])
        outcome = runner.run(recipe, reports)
        assert (outcome.state, outcome.epochs, outcome.reason) == ("complete", 2, "")
        assert outcome.accuracy == max(accuracy for _, accuracy in reports.told[-2:]) and outcome.parameters
    assert [epoch for epoch, _ in reports.told] == [1, 2, 1, 2]
    assert len(decoded) == 48 == len(set(decoded))
    assert all("seg_train" in path for path in decoded)
    assert len(runner.splits.validation) == 12


def test_a_trial_that_is_told_to_stop_is_pruned(place: Path, here: Path) -> None:
    recipe = load_recipe(place / "tiny.yaml", ["epochs=3"])
    outcome = runner_of(place).run(recipe, Told(stop=2))
    assert (outcome.state, outcome.epochs) == ("pruned", 2)


def test_a_trial_whose_loss_explodes_fails_with_the_reason(place: Path, here: Path) -> None:
    recipe = load_recipe(place / "tiny.yaml", ["optimizer=sgd", "learning_rate=1e30"])
    outcome = runner_of(place).run(recipe, Told())
    assert outcome.state == "failed" and "no finite number" in outcome.reason and "learning rate" in outcome.reason


# -- the command -------------------------------------------------------------------------------------------------------


def tune(place: Path, *words: object) -> int:
    given = ["tune", place / "scenes", "--config", place / "tiny.yaml", "--space", place / "space.yaml"]
    return cli.run([str(word) for word in (*given, *words)])


def test_tune_from_end_to_end_and_again(place: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(place, "--trials", 2, "--epochs", 1, "--out", "found") == 0
    out = capsys.readouterr().out
    assert "2 trials: 2 complete" in out and "36 of its training images to train on, 12 to judge by" in out
    assert {path.name for path in (here / "found").iterdir()} == {
        "study.db", "study.csv", "study.json", "space.yaml", "history.png", "best.yaml",
    }  # fmt: skip
    assert tune(place, "--trials", 5, "--epochs", 1, "--storage", "found/study.db") == 0
    out = capsys.readouterr().out
    assert "5; 2 of them done before" in out and "trial 1:" not in out and "[5/5] trial 4" in out
    rows = list(csv.DictReader((here / "found" / "study.csv").open()))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert json.loads((here / "found" / "study.json").read_text())["trials"] == {"complete": 5}
    best = max(rows, key=lambda row: (float(row["accuracy"]), -int(row["trial"])))
    recipe = load_recipe("found/best.yaml")
    assert recipe.training.batch_size == int(best["training.batch_size"]) and recipe.training.epochs == 1
    assert list(recipe.model.filters) == json.loads(best["model.filters"])
    assert cli.run(["train", str(place / "scenes" / "seg_train"), "--config", "found/best.yaml", "--out", "run"]) == 0
    assert not (here / "runs").exists()


def test_ctrl_c_leaves_a_search_that_goes_on(
    place: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Outcome(state="complete", accuracy=0.5, epoch=1, epochs=2, seconds=1.0, parameters=10)
    answers: list[Outcome | None] = [half, None]

    def run(runner: TrialRunner, recipe, trial) -> Outcome:
        answer = answers.pop(0)
        if answer is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(TrialRunner, "run", run)
    assert tune(place, "--trials", 3, "--out", "found", "--storage", "s.db") == 130
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line == (
        "error: interrupted after 1 of 3 trials; the best so far is trial 0, in found/best.yaml; go on with the same "
        "command and --storage s.db"
    )
    answers += [replace(half, accuracy=0.25)] * 2
    assert tune(place, "--trials", 3, "--out", "found", "--storage", "s.db") == 0
    rows = list(csv.DictReader((here / "found" / "study.csv").open()))
    assert [row["state"] for row in rows] == ["complete", "interrupted", "complete", "complete"]
    assert [row["training.learning_rate"] for row in rows][1] == [row["training.learning_rate"] for row in rows][2]
    assert not answers and {path.name for path in here.iterdir()} == {"found", "s.db"}


def test_time_ends_a_search(place: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(place, "--trials", 500, "--epochs", 1, "--timeout", "0.1s", "--out", "found") == 0
    out = capsys.readouterr().out
    assert "time      is over: go on with the same command and --storage found/study.db" in out
    assert "1 trial: 1 complete" in out


def test_trials_side_by_side(place: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "deep.yaml").write_text("filters: [[2], [4], [2, 2, 2, 2, 2, 2]]\nlearning_rate: [1e-3, 1e-2]\n")
    words = ["--space", here / "deep.yaml", "--trials", 5, "--epochs", 1, "--jobs", 2, "--out", "found"]
    assert tune(place, *words) == 0
    rows = list(csv.DictReader((here / "found" / "study.csv").open()))
    assert len(rows) == 5 and {row["state"] for row in rows} <= {"complete", "failed"}
    assert "2 at a time" in capsys.readouterr().out and load_recipe("found/best.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "nothing"], "No search space 'nothing'"),
        (["--timeout", "soon"], "--timeout 'soon': expected seconds"),
        (["--trials", "0"], "--trials"),
        (["--set", "metrics=[auc]"], "Expected 'accuracy' in training.metrics"),
        (["--set", "batch_size=8", "--set", "learning_rate=0.1", "--set", "filters=[2]"], "Nothing is left to search"),
        (["--set", "batchsize=8"], "Did you mean"),
        (["--storage", "."], "is a folder"),
        (["--storage", "taken/note.txt"], "file is not a database"),
        (["--out", "taken"], "already holds files"),
        (["--accelerator", "mps"], "mps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_error_and_status_2(
    place: Path, here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (here / "taken").mkdir()
    (here / "taken" / "note.txt").write_text("mine, and longer than a header is")
    assert tune(place, *words) == 2
    captured = capsys.readouterr().err
    assert said in captured and "Traceback" not in captured
    assert [path.name for path in here.iterdir()] == ["taken"] and len(list((here / "taken").iterdir())) == 1


def test_a_search_in_which_all_fails_says_why(place: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "deep.yaml").write_text("filters: [[2, 2, 2, 2, 2, 2], [3, 3, 3, 3, 3, 3]]\n")
    assert tune(place, "--space", here / "deep.yaml", "--trials", 3, "--out", "found") == 2
    captured = capsys.readouterr()
    assert "failed 3 ×: model.input_size: 16 x 16 is too small for 6 blocks" in captured.out
    assert "[3/3] trial 2 failed: model.input_size" in captured.out
    assert "No trial was completed" in captured.err and "found/study.csv" in captured.err
    assert not (here / "found" / "best.yaml").exists()


def test_without_optuna_the_cure_is_named(
    place: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delattr(tuning, "search", raising=False)
    for name in [name for name in sys.modules if name.startswith("scene_lightning.tuning")]:
        monkeypatch.delitem(sys.modules, name)
    assert tune(place) == 2
    assert 'pip install "scene-lightning[tune]"' in capsys.readouterr().err


def test_help_needs_neither_torch_nor_optuna(here: Path) -> None:
    code = (
        "import sys; from scene_lightning.cli import main as cli; cli.run(['tune', '--help']); "
        "sys.exit(bool({'torch', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here, env={**os.environ})
    assert done.returncode == 0, done.stderr
    for option in (
        "--config",
        "--space",
        "--trials",
        "--timeout",
        "--storage",
        "--jobs",
        "--epochs",
        "--out",
        "--seed",
    ):
        assert option in done.stdout
