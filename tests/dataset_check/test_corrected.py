"""`check --overlay`: what was decided is looked at as corrected, and what was kept is not reported again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.overlay import COLUMNS
from tests.conftest import picture


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """{train,test}/{forest,sea}: one file in both classes, one in both halves."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    for number, place in enumerate(f"{split}/{name}" for split in ("train", "test") for name in ("forest", "sea")):
        (tmp_path / "data" / place).mkdir(parents=True)
        for image in range(3):
            Image.fromarray(picture(64, 72, 10 * number + image)).save(tmp_path / "data" / place / f"{image}.png")
    shutil.copy(tmp_path / "data/train/sea/0.png", tmp_path / "data/train/forest/twin.png")
    shutil.copy(tmp_path / "data/train/sea/1.png", tmp_path / "data/test/sea/leaked.png")
    return tmp_path / "data"


def check(data: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert cli.run(["check", str(data), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def decide(data: Path, action: str, label: str = "") -> str:
    """An overlay that says the same of every image of the findings, made from check's own CSV file."""
    with (data.parent / "all.csv").open(encoding="utf-8") as file:
        hashes = sorted({row["hash"] for row in csv.DictReader(file)})
    lines = [",".join(COLUMNS), *(f"{digest},{action},{label},,," for digest in hashes)]
    (data.parent / "labels.csv").write_text("\n".join(lines) + "\n")
    return str(data.parent / "labels.csv")


def test_what_was_decided_is_not_found_again(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = check(data, capsys, "--out", str(data.parent / "all.csv"))
    assert {one["kind"] for one in before["findings"]} == {"duplicate_across_classes", "duplicate_across_splits"}
    kept = check(data, capsys, "--overlay", decide(data, "keep"))
    assert kept["findings"] == [] and kept["images"] == before["images"]
    relabelled = check(data, capsys, "--overlay", decide(data, "relabel", "forest"))
    assert relabelled["classes"] == {"test": {"forest": 4, "sea": 3}, "train": {"forest": 6, "sea": 1}}
    dropped = check(data, capsys, "--overlay", decide(data, "drop"))
    assert dropped["classes"] == {"test": {"forest": 3, "sea": 3}, "train": {"forest": 3, "sea": 1}}
    assert dropped["findings"] == [] and dropped["overlay"].endswith("0 relabelled, 4 left out")


def test_an_overlay_of_other_classes_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(data, capsys, "--out", str(data.parent / "all.csv"))
    assert cli.run(["check", str(data), "--overlay", decide(data, "relabel", "see")]) == 2
    assert "line 2: no class 'see'. Expected one of forest, sea. Did you mean 'sea'?" in capsys.readouterr().err
