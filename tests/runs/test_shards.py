"""A run from shards is the run from the folder that they were made of: to the bit, interrupted or not."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from scene_lightning.cli import main as cli
from scene_lightning.data.shard_writer import shard
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.models import Model
from scene_lightning.runs.run_record import TrainingInterrupted
from scene_lightning.runs.train import train
from tests.programs import run_program
from tests.runs.test_interruption import rows, weights
from tests.runs.test_several_processes import SMALL as SEVERAL
from tests.runs.test_several_processes import assert_same_curve

SMALL = [
    "filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "epochs=2", "precision=32-true", "cache=off",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, its shards, and a run from the folder."""
    folder = tmp_path_factory.mktemp("shards")
    draw_scenes(folder / "scenes", 6, test_per_class=2, predict=1, size=32)
    shard(str(folder / "scenes"), str(folder / "shards"), size_bytes=30_000)
    train(str(folder / "scenes"), overrides=SMALL, out=str(folder / "run"))
    return folder


def assert_same_run(one: Path, other: Path) -> None:
    assert weights(one).keys() == weights(other).keys()
    for name, value in weights(one).items():
        assert torch.equal(weights(other)[name], value), name
    assert rows(one) == rows(other)


@pytest.mark.parametrize("cache", ["off", "disk"])
def test_weights_are_those_of_the_folder(cache, place, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    train(str(place / "shards"), overrides=[*SMALL, f"cache={cache}"], out=str(tmp_path / "run"))
    assert_same_run(tmp_path / "run", place / "run")
    evaluations = [json.loads((run / "evaluation.json").read_text()) for run in (tmp_path / "run", place / "run")]
    assert evaluations[0].pop("data") == str(place / "shards" / "seg_test") and evaluations[1].pop("data")
    assert evaluations[0] == evaluations[1]


def test_an_interrupted_run_goes_on_in_mid_epoch(place, tmp_path, monkeypatch) -> None:
    own, count = Model.training_step, [0]

    def training_step(self, batch, batch_idx=0):
        count[0] += 1
        if count[0] == 3:
            signal.raise_signal(signal.SIGTERM)
        return own(self, batch, batch_idx)

    monkeypatch.setattr(Model, "training_step", training_step)
    with pytest.raises(TrainingInterrupted, match="after 3 of 5 steps"):
        train(str(place / "shards"), overrides=SMALL, out=str(tmp_path / "run"))
    train(None, resume=str(tmp_path / "run"))
    assert_same_run(tmp_path / "run", place / "run")


def test_evaluate_counts_the_same(place, capsys) -> None:
    results = []
    for data in ("scenes", "shards"):
        assert cli.run(["evaluate", str(place / "run"), str(place / data), "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out))
        results[-1].pop("data")
    assert results[0] == results[1] and results[0]["split"] == "seg_test" and results[0]["seen"]


@pytest.mark.soak
def test_two_processes_read_shards_as_one_reads_the_folder(place) -> None:
    settings = [*SEVERAL, "epochs=1", "cache=off"]
    train(str(place / "scenes"), overrides=settings, out=str(place / "one"))
    words = [word for setting in settings for word in ("--set", setting)]
    done = run_program("train", "shards", "--out", "two", "--devices", 2, *words, cwd=place)
    assert done.returncode == 0, done.stderr
    assert_same_curve(place / "two", place / "one")
