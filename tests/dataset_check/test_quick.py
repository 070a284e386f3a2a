"""What a training looks at by itself: wrong folders are refused, and copies in two classes or halves are told."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.scan import find_splits, find_training_images, scan_images
from scene_lightning.dataset_check.check import check_dataset
from scene_lightning.dataset_check.quick import checked_splits, checked_training_images
from scene_lightning.errors import DataError
from tests.conftest import picture


def fill(folder: Path, *classes: str, start: int = 0, count: int = 4) -> Path:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for position in range(count):
            Image.fromarray(picture(12, 12, start + 10 * number + position)).save(folder / name / f"{position}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """x/intel/{seg_train,seg_test}/{forest,sea}"""
    fill(tmp_path / "x" / "intel" / "seg_train", "forest", "sea")
    fill(tmp_path / "x" / "intel" / "seg_test", "forest", "sea", start=100)
    return tmp_path / "x" / "intel"


def check_one(data: str) -> object:
    return checked_splits(data, 0.25, 0)


@pytest.mark.parametrize("read", [check_one, checked_training_images])
def test_a_folder_one_level_too_high_is_refused(data: Path, read: Callable[[str], object]) -> None:
    read(str(data))
    with pytest.raises(DataError, match=rf"Did you mean '{data}'\?"):
        read(str(data.parent))
    with pytest.raises(DataError, match=rf"Did you mean '{data}'\?"):
        read(str(data.parent.parent))
    classes = fill(data.parent.parent / "y" / "photos", "a", "b")
    with pytest.raises(DataError, match=rf"Did you mean '{classes}'\?"):
        read(str(classes.parent))


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "data", "sea")
    for read in (check_one, checked_training_images):
        with pytest.raises(DataError, match=r"has one class only, 'sea'.* Expected .*/<class>/\*\.jpg with two"):
            read(str(tmp_path / "data"))
    images = sorted((tmp_path / "data" / "sea").iterdir())
    for other in images[1:]:
        other.write_bytes(images[0].read_bytes())  # too few to divide, but that is not what is wrong
    with pytest.raises(DataError, match="has one class only"):
        check_one(str(tmp_path / "data"))


def test_the_commands_refuse_them(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent.parent)
    for words in (["train", "x"], ["train", "x", "--folds", "2"], ["find-lr", "x"], ["find-batch-size", "x"]):
        assert cli.run(words) == 2
        assert "Did you mean 'x/intel'?" in capsys.readouterr().err, words
    assert not Path("runs").exists()


def test_copies_are_told_in_a_line_for_each_kind(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data / "seg_train/sea/0.png", data / "seg_train/forest/copy.png")
    shutil.copy(data / "seg_train/sea/1.png", data / "seg_train/forest/again.png")
    shutil.copy(data / "seg_train/sea/2.png", data / "seg_test/sea/copy.png")
    shutil.copy(data / "seg_train/sea/3.png", data / "seg_train/sea/copy.png")  # harmless
    checked_splits(str(data), 0.25, 0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith("warning: ") for line in lines)
    assert all(line.endswith(f"scene-lightning check {data}") for line in lines)
    assert (
        "lies in several classes" in lines[0] and "seg_train/forest/again.png" in lines[0] and "2 of them" in lines[0]
    )
    assert "training and the validation images" in lines[1] and "seg_test/sea/copy.png" in lines[1]
    checked_training_images(str(data))
    assert len(capsys.readouterr().err.splitlines()) == 1
    os.environ["RANK"] = "1"  # another process than the first is silent
    try:
        checked_splits(str(data), 0.25, 0)
    finally:
        del os.environ["RANK"]
    assert capsys.readouterr().err == ""


def test_no_run_validates_on_a_copy_of_what_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the hashes in images.csv, of a run with --val-split and of each fold."""
    folder = fill(tmp_path / "data", "forest", "sea", count=10)
    for number in range(8):
        shutil.copy(folder / "sea" / f"{number}.png", folder / "sea" / f"copy{number}.png")
    shutil.copy(folder / "sea/9.png", folder / "forest/copy.png")
    (tmp_path / "tiny.yaml").write_text(
        "model: {filters: [4], dense: [4], input_size: [12, 12]}\n"
        "training: {epochs: 1, batch_size: 16, accelerator: cpu, devices: 1}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert cli.run(["train", "data", "--config", "tiny.yaml", "--out", "one", "--val-split", "0.5"]) == 0
    assert cli.run(["train", "data", "--config", "tiny.yaml", "--out", "both", "--folds", "2"]) == 0
    assert "lies in several classes" in capsys.readouterr().err
    for run in ("one", "both/fold-1", "both/fold-2"):
        hashes: dict[str, set[str]] = {}
        for row in csv.DictReader((tmp_path / run / "images.csv").open(encoding="utf-8")):
            hashes.setdefault(row["role"], set()).add(row["hash"])
        assert len(hashes) == 2 and sum(map(len, hashes.values())) == 20
        assert not set.intersection(*hashes.values())


def test_halves_are_known_whatever_their_case(data: Path) -> None:
    (data / "seg_train").rename(data / "Train")
    (data / "seg_test").rename(data / "TEST")
    splits = find_splits(str(data))
    assert splits.train.class_names == ["forest", "sea"] and len(splits.train) == len(splits.validation) == 8
    assert len(find_training_images(str(data))) == 8


def test_the_halves_of_kaggles_archive_lie_in_folders_of_their_own_name(data: Path) -> None:
    for name in ("seg_train", "seg_test"):
        (data / name).rename(data / "moved")
        (data / name).mkdir()
        (data / "moved").rename(data / name / name)
    splits = checked_splits(str(data), 0.25, 0)
    assert splits.train.class_names == ["forest", "sea"] and len(splits.train) == len(splits.validation) == 8
    assert len(checked_training_images(str(data))) == 8
    report = check_dataset(str(data))
    assert not report.of("error") and report.counts["seg_train"] == {"forest": 4, "sea": 4}


def test_what_a_mac_adds_to_an_archive_is_no_class(data: Path) -> None:
    for folder in ("__MACOSX", "seg_train/__MACOSX", "seg_train/sea/__MACOSX"):
        (data / folder).mkdir()
        shutil.copy(data / "seg_train/sea/0.png", data / folder / "0.png")
    assert find_splits(str(data)).train.counts() == {"forest": 4, "sea": 4}
    assert len(scan_images([str(data)])) == 16


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_pipe_is_no_image(data: Path) -> None:
    os.mkfifo(data / "seg_train" / "sea" / "pipe.jpg")
    assert find_splits(str(data)).train.counts() == {"forest": 4, "sea": 4}
    assert len(scan_images([str(data)])) == 16
