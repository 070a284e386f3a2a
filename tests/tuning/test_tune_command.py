"""The command `tune` from end to end."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scene_lightning import tuning
from scene_lightning.cli import main as cli
from scene_lightning.data.copies import file_digest
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.tuning.trial import Outcome, TrialRunner


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


def test_the_overlay_is_kept_with_the_search(place: Path, here: Path) -> None:
    image = next((place / "scenes" / "seg_train").rglob("*.jpg"))
    content = f"hash,action,label,split,path,note\n{file_digest(str(image)):016x},drop,,,,\n"
    (here / "mine.csv").write_text(content)
    assert tune(place, "--trials", 1, "--epochs", 1, "--out", "found", "--set", "data.overlay=mine.csv") == 0
    assert (here / "found" / "labels.csv").read_text() == content


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
    words = ["--space", here / "deep.yaml", "--trials", 3, "--epochs", 1, "--jobs", 2, "--out", "found"]
    assert tune(place, *words) == 0
    rows = list(csv.DictReader((here / "found" / "study.csv").open()))
    assert len(rows) == 3 and {row["state"] for row in rows} <= {"complete", "failed"}
    assert "2 at a time" in capsys.readouterr().out and load_recipe("found/best.yaml")


@pytest.mark.parametrize(
    ("words", "message"),
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
    place: Path, here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (here / "taken").mkdir()
    (here / "taken" / "note.txt").write_text("mine, and longer than a header is")
    assert tune(place, *words) == 2
    captured = capsys.readouterr().err
    assert message in captured and "Traceback" not in captured
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
