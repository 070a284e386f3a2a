"""Images that belong together are never divided, by `train`, `--folds` or `tune`."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.balance import stratified_folds
from scene_lightning.data.scan import find_splits, find_training_images
from scene_lightning.errors import DataError

PATTERN = r"(place\d+)_"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 40 images at 20 places; each place has photographs of both."""
    folder, random = tmp_path_factory.mktemp("groups"), np.random.default_rng(0)
    for name in ("day", "night"):
        (folder / name).mkdir()
        for number in range(40):
            pixels = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"place{number // 2:02d}_{number}.png")
    return folder


def places(paths: list[str]) -> set[str]:
    return {Path(path).name.partition("_")[0] for path in paths}


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_on_one_side(data: Path, seed: int) -> None:
    splits = find_splits(str(data), 0.25, seed, group_by=PATTERN)
    assert not places(splits.train.paths) & places(splits.validation.paths)
    assert Counter(splits.validation.labels.tolist()) == {0: 10, 1: 10}
    without = find_splits(str(data), 0.25, seed)
    assert places(without.train.paths) & places(without.validation.paths)
    others = find_splits(str(data), 0.25, seed + 1, group_by=PATTERN)
    assert places(others.validation.paths) != places(splits.validation.paths)


def test_groups_stay_in_one_fold(data: Path) -> None:
    table = find_training_images(str(data), group_by=PATTERN)
    folds = stratified_folds(table, 4, 1)
    assert [len(fold) for fold in folds] == [20] * 4
    owners = [places([table.paths[row] for row in fold]) for fold in folds]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 20


def test_copies_tie_groups_together(data: Path, tmp_path: Path) -> None:
    for path in data.rglob("*.png"):
        target = tmp_path / path.relative_to(data)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "day" / "place07_0.png").write_bytes((tmp_path / "day" / "place00_0.png").read_bytes())
    for seed in range(8):
        splits = find_splits(str(tmp_path), 0.25, seed, group_by=PATTERN)
        for half in (splits.train, splits.validation):
            assert len({"place00", "place07"} & places(half.paths)) in (0, 2)


def test_train_divides_so(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["filters=[2]", "dense=[4]", "input_size=8", "epochs=1", f"data.group_by={PATTERN}"]
    settings = [word for one in words for word in ("--set", one)]
    assert cli.run(["train", str(data), "--out", str(tmp_path / "run"), *settings]) == 0, capsys.readouterr().err
    with open(tmp_path / "run" / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    halves = [[row["image"] for row in rows if row["role"] == role] for role in ("trained on", "validated on")]
    assert len(rows) == 80 and all(halves) and not set.intersection(*map(places, halves))


def test_a_pattern_that_fits_nothing_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"data.group_by: 'patient' is in no path .* such as 'day/place"):
        find_splits(str(data), group_by="patient")
    assert cli.run(["train", str(data), "--set", "data.group_by=(open"]) == 2
    assert "expected a regular expression, or null" in capsys.readouterr().err
