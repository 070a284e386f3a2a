"""An argument that is evidently something else is answered with the command that was meant; completion of names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import arguments
from scene_lightning.cli.main import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """my photos/sea/1.jpg, a run in runs/a, and an empty folder."""
    (tmp_path / "my photos" / "sea").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "my photos" / "sea" / "1.jpg")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "best.ckpt").write_bytes(b"")
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["evaluate", "my photos", "runs/a"], "MODEL comes first: scene-lightning evaluate runs/a 'my photos'"),
        (["card", "my photos", "scenes", "--json"], "first: scene-lightning card scenes 'my photos' --json"),
        (["calibrate", "my photos", "runs/a", "--out", "b.h5"], "calibrate runs/a 'my photos' --out b.h5"),
        (["predict", "my photos/sea/1.jpg", "scenes"], "scene-lightning predict scenes 'my photos/sea/1.jpg'"),
        (["predict", "my photos/sea/1.jpg"], "scene-lightning predict MODEL 'my photos/sea/1.jpg'"),
        (["summary", "my photos"], "scene-lightning summary scenes"),
        (["summary", "best"], "scene-lightning summary --config best"),
        (["predict", "best", "my photos/sea/1.jpg"], "scene-lightning train DATA --config best"),
        (["predict", "scens", "my photos/sea/1.jpg"], "Did you mean 'scenes'?"),
        (["evaluate", "scenes"], "See: scene-lightning evaluate MODEL DATA;"),
        (["train"], "Expected DATA, a folder of images, or --resume RUN."),
        (["train", "nowhere"], "No folder 'nowhere'. Expected a folder of images"),
        (["train", "my photo"], "Did you mean 'my photos'?"),
        (["train", "my photos/sea/1.jpg"], "scene-lightning predict scenes 'my photos/sea/1.jpg'"),
        (["train", "runs/a"], "scene-lightning train --resume runs/a"),
        (["stats", "scenes"], "is a model. DATA is a folder of images"),
        (["evaluate", "empty", "my photos"], "Expected a model file or the folder of a run"),
        (["trian", "my photos"], "Did you mean 'train'? See: scene-lightning --help"),
    ],
)
def test_the_cure_is_in_one_line(words: list[str], cure: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    error = capsys.readouterr().err
    assert cure in error and error.count("\n") == 1 and error.startswith("error: ")


def test_names_are_completed() -> None:
    assert arguments.complete_recipe("") == ["best", "demo", "paper", "scenes-large", "transfer", "mine.yaml"]
    assert arguments.complete_recipe("p") == ["paper"]
    assert arguments.complete_model("s") == ["scenes", "scenes-large"]
    assert arguments.complete_model("runs/") == arguments.complete_run("runs/") == ["runs/a"]
    assert arguments.complete_model("runs/a/") == ["runs/a/best.ckpt"]
    assert arguments.complete_recipe("nowhere/x") == []


def test_the_shell_asks_the_program_itself() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_SCENE_LIGHTNING_COMPLETE": "complete_bash"}

    def complete(*words: str) -> list[str]:
        asked = {**environment, "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        program = [sys.executable, "-m", "scene_lightning"]
        return subprocess.run(program, env=asked, capture_output=True, text=True, timeout=60).stdout.split()

    assert complete("scene-lightning", "train", "--config", "tr") == ["transfer"]
    assert complete("scene-lightning", "predict", "sc") == ["scenes", "scenes-large"]
