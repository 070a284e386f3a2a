"""`check` of images with several labels each: labels.csv, or folders that hold copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scene_lightning.cli import main as cli
from scene_lightning.dataset_check import suspects
from scene_lightning.dataset_check.check import CheckReport, check_dataset, known_findings
from scene_lightning.dataset_check.page import write_page
from tests.dataset_check.test_check import photograph


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))


def reasons(report: CheckReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.kind, []).append(finding.reason)
    return found


def make(data: Path, *rows: str) -> str:
    """A data folder of eight sound photographs with labels, and further rows."""
    for number in range(8):
        photograph(data / f"{number}.png", number)
    sound = [
        f"{number}.png,{('sea', 'sea;boat', 'town')[number % 3]},{('train', 'val')[number // 5]}" for number in range(8)
    ]
    (data / "labels.csv").write_text("\n".join(["path,labels,split", *sound, *rows]) + "\n")
    return str(data)


def test_labels_that_are_sound_are_silent(tmp_path: Path) -> None:
    report = check_dataset(make(tmp_path / "data"))
    assert report.findings == [] and report.images == 8 and report.images_of("val") == 3
    assert report.counts["train"] == {"boat": 2, "sea": 4, "town": 1}
    assert report.counts["val"] == {"boat": 1, "sea": 2, "town": 1}


def test_each_fault_of_labels_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    rows = [
        "copy.png,town,train",
        "leak.png,sea;boat,val",
        "cut.png,rare;odd,train",
        "gone.png,sea,train",
        "9.png,,train",
    ]
    make(data, *rows)
    for name, source in (("copy", 0), ("leak", 1), ("unlisted", 2)):
        shutil.copy(data / f"{source}.png", data / f"{name}.png")
    photograph(data / "9.png", 9)
    (data / "cut.png").write_bytes((data / "3.png").read_bytes()[:900])
    report = check_dataset(str(data))
    found = reasons(report)
    assert found["duplicate_across_classes"] == ["The same file, labelled sea and town."]
    assert found["duplicate_across_splits"] == ["The same file, in train and val."]
    assert {"'rare' is on no image of train.", "'odd' is on no image of val."} <= set(found["label_missing_from_split"])
    assert found["missing_image"] == ["labels.csv, line 13, names 'gone.png', which is not there."]
    assert found["unlabelled_image"] == ["Images without a line in labels.csv: 1, such as unlisted.png."]
    assert found["no_label"] == ["1 of 7 images of train have no label."]
    assert "truncated" in found
    page = tmp_path / "page.html"
    write_page(report, str(page))
    text = page.read_text()
    assert "copy.png: town" in text and 'value="drop"' not in text and 'aria-label="Decisions" hidden' in text
    assert [one.reason for one in known_findings(str(data)).findings if one.kind == "duplicate_across_classes"]
    assert cli.run(["check", str(data), "--strict"]) == 1
    assert "all images" in capsys.readouterr().out
    (tmp_path / "overlay.csv").write_text("hash,action\n")
    assert cli.run(["check", str(data), "--overlay", str(tmp_path / "overlay.csv")]) == 2
    assert "Correct labels.csv" in capsys.readouterr().err


def test_labels_that_say_nothing_are_told(tmp_path: Path) -> None:
    rows = [
        f"{number}.png,{'beach;' if number < 4 else ''}{'sand;' if number < 4 else ''}picture" for number in range(8)
    ]
    make(tmp_path / "data")
    (tmp_path / "data" / "labels.csv").write_text("\n".join(["path,labels", *rows]))
    found = reasons(check_dataset(str(tmp_path / "data")))
    assert found == {
        "label_on_every_image": ["'picture' is on all 8 images."],
        "labels_always_together": ["'beach' and 'sand' are on the same 4 images."],
    }


def test_copies_in_several_folders_are_one_image_with_their_labels(tmp_path: Path) -> None:
    for number in range(6):
        photograph(tmp_path / "data" / ("sea", "town")[number % 2] / f"{number}.png", number)
    shutil.copy(tmp_path / "data" / "sea" / "0.png", tmp_path / "data" / "town" / "0.png")
    assert "duplicate_across_classes" in reasons(check_dataset(str(tmp_path / "data")))
    report = check_dataset(str(tmp_path / "data"), multi_label="folders")
    assert report.findings == [] and report.images == 6 and report.counts[""] == {"sea": 3, "town": 4}


def test_doubtful_labels_are_found_label_by_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that tell both labels apart; of 60 images one lacks a label and one has one too many."""
    random = np.random.default_rng(0)
    rows, features = [], []
    for number in range(60):
        photograph(tmp_path / f"{number}.png", number, (40, 40))
        true = number % 2, number // 2 % 2
        features.append([*(4 * np.array(true) + random.normal(size=2)), *random.normal(size=3)])
        given = [name for name, one in zip(("boat", "sea"), true, strict=True) if one]
        given = {7: ["sea"], 12: ["boat"]}.get(number, given)
        rows.append(f"{number}.png,{';'.join(given)}")
    (tmp_path / "labels.csv").write_text("\n".join(["path,labels", *rows]))

    def given_features(paths: list[str], *_: object) -> tuple[np.ndarray, list[int]]:
        order = [int(Path(path).stem) for path in paths]
        return np.array([features[number] for number in order], np.float32), list(range(len(paths)))

    monkeypatch.setattr(suspects, "_features", given_features)
    report = check_dataset(str(tmp_path), labels=True)
    found = {(Path(one.paths[0]).stem, one.suggestion) for one in report.findings if one.kind == "suspect_label"}
    assert {("7", "add boat"), ("12", "remove boat")} <= found and len(found) < 8
