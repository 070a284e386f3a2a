"""find-lr and find-batch-size from the command line, on two classes of noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name, level in (("bright", 190), ("dark", 60)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(random.normal(level, 25, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


TINY = [word for one in ("filters=[4]", "dense=[]", "input_size=[8, 8]", "batch_size=8", "data.cache=ram")
        for word in ("--set", one)]  # fmt: skip


def test_find_lr_prints_and_draws(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "rates.png"
    words = ["find-lr", str(data), "--accelerator", "cpu", "--steps", "20", "--out", str(picture), *TINY]
    assert cli.run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["rates"]) == len(told["losses"]) > 10
    assert told["suggestion"] in told["rates"] and told["picture"] == str(picture)
    with Image.open(picture) as opened:
        assert opened.width > 400
    assert cli.run(words) == 0
    said = capsys.readouterr().out
    assert f"--set learning_rate={told['suggestion']:.2g}" in said, "the same seed gives the same curve"


def test_find_batch_size_prints_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["find-batch-size", str(data), "--accelerator", "cpu", "--limit", "4", *TINY]
    assert cli.run(words) == 0
    told = capsys.readouterr()
    assert "batch size  4   (the largest tried: all fit, up to 4)" in told.out and "images/s" in told.out
    assert cli.run([*words[:5], "2", *words[6:], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["largest"] == 2 and [one["batch_size"] for one in found["trials"]] == [1, 2]


RESIZED = ["--set", "input_size=[16, 16]", "--set", "progressive_resizing=[0.5, 1]"]


@pytest.mark.parametrize("words", [["find-lr", "--steps", "20"], ["find-batch-size", "--limit", "4"]])
def test_a_recipe_whose_images_grow(data: Path, tmp_path: Path, words: list[str]) -> None:
    command, *options = words
    picture = ["--out", str(tmp_path / "rates.png")] if command == "find-lr" else []
    assert cli.run([command, str(data), "--accelerator", "cpu", *options, *picture, *TINY, *RESIZED]) == 0


@pytest.mark.parametrize("words", [["--from", "0"], ["--from", "0.1", "--to", "0.01"]])
def test_impossible_rates_are_refused(data: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.run(["find-lr", str(data), *words]) == 2
    assert "Expected two rates above 0" in capsys.readouterr().err
