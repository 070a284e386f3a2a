"""Folders in, tables out: names, order, splits, statistics, and one clear error for each way a folder can be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.data import statistics
from scene_lightning.data.scan import find_splits, match_classes, scan_folder, scan_images, split_table
from scene_lightning.data.statistics import image_statistics
from scene_lightning.errors import DataError


def put(path: Path, size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def test_scan_skips_what_is_no_image(scenes: Path) -> None:
    table = scan_folder(str(scenes))
    assert table.class_names == ["forest", "glacier", "sea"]
    assert table.counts() == {"forest": 5, "glacier": 4, "sea": 6}
    assert [os.path.relpath(path, scenes) for path in table.paths[:2]] == ["forest/0.jpg", "forest/1.png"]
    assert table.labels.dtype == np.int64


def test_classes_fix_the_order_by_name(scenes: Path) -> None:
    table = scan_folder(str(scenes), classes=["sea", "forest"])
    assert table.counts() == {"sea": 6, "forest": 5}
    with pytest.raises(DataError, match=r"No folder for class 'forrest'.* Did you mean 'forest'\?"):
        scan_folder(str(scenes), classes=["forrest"])


@pytest.mark.parametrize("follow, count", [(True, 2), (False, 1)])
def test_links_below_a_class(tmp_path: Path, follow: bool, count: int) -> None:
    put(tmp_path / "data" / "sea" / "a.jpg")
    put(tmp_path / "elsewhere" / "b.jpg")
    (tmp_path / "data" / "sea" / "more").symlink_to(tmp_path / "elsewhere")
    assert len(scan_folder(str(tmp_path / "data"), follow_links=follow)) == count


def test_wrong_folders_say_what_was_expected(tmp_path: Path) -> None:
    put(tmp_path / "intel" / "seg_train" / "sea" / "a.jpg")
    put(tmp_path / "loose" / "a.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "sea").mkdir(parents=True)
    expectations = {
        "intl": r"No folder '.*intl'\. Did you mean 'intel'\?",
        "intel": r"No class folders in .*Did you mean '.*seg_train'\?",
        "loose": r"Its images lie loose\. Expected .*loose/<class>/\*\.jpg",
        "loose/a.jpg": r"is a file",
        "empty": r"No class folders in .*It is empty",
        "hollow": r"No images in the class folders",
    }
    for name, message in expectations.items():
        with pytest.raises(DataError, match=message):
            scan_folder(str(tmp_path / name))


@pytest.mark.parametrize(
    "names", [("seg_train", "seg_test"), ("train", "val"), ("train", "validation"), ("train", "test")]
)
def test_named_splits(tmp_path: Path, names: tuple[str, str]) -> None:
    for half in names:
        for kind in ("sea", "forest"):
            put(tmp_path / half / kind / "a.jpg")
    splits = find_splits(str(tmp_path))
    assert (len(splits.train), len(splits.validation)) == (2, 2)
    assert names[0] in splits.train.root and names[1] in splits.validation.root


def test_a_class_in_one_split_only_is_named(tmp_path: Path) -> None:
    for path in ("train/sea", "train/forest", "val/sea"):
        put(tmp_path / path / "a.jpg")
    with pytest.raises(DataError, match=r"Class 'forest' is in '.*train' and not in '.*val'"):
        find_splits(str(tmp_path))
    put(tmp_path / "val" / "forest" / "a.jpg")
    put(tmp_path / "val" / "river" / "a.jpg")
    with pytest.raises(DataError, match=r"Class 'river' is in '.*val' and not in '.*train'"):
        find_splits(str(tmp_path))


def test_labels_are_matched_by_name(scenes: Path) -> None:
    train, other = scan_folder(str(scenes)), scan_folder(str(scenes), classes=["sea", "glacier", "forest"])
    _, matched = match_classes(train, other)
    assert matched.class_names == train.class_names
    assert matched.counts() == train.counts()
    assert matched.class_names[matched.labels[0]] == Path(matched.paths[0]).parent.name


def test_split_is_stratified_and_repeats(scenes: Path) -> None:
    table = scan_folder(str(scenes))
    train, validation = split_table(table, 0.25, seed=3)
    assert validation.counts() == {"forest": 1, "glacier": 1, "sea": 2}
    assert sorted(train.paths + validation.paths) == sorted(table.paths)
    assert split_table(table, 0.25, seed=3)[1].paths == validation.paths
    assert any(split_table(table, 0.25, seed=s)[1].paths != validation.paths for s in range(4, 8))
    for wrong in (0.0, 1.0, -1.0):
        with pytest.raises(DataError, match="between 0 and 1"):
            split_table(table, wrong)


def test_files_folders_and_globs_for_prediction(scenes: Path) -> None:
    folder = scan_images([str(scenes / "sea")])
    assert [os.path.basename(path) for path in folder] == ["0.jpg", "1.png", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert scan_images([str(scenes / "*" / "*.jpg")]) == sorted(scan_images([str(scenes / "*" / "*.jpg")]))
    assert len(scan_images([str(scenes)])) == 15
    assert scan_images([folder[2], str(scenes / "sea")]) == [folder[2], *folder[:2], *folder[3:]]
    for wrong, message in {"see": "Did you mean 'sea'", "*.gif": "No image matches"}.items():
        with pytest.raises(DataError, match=message):
            scan_images([str(scenes / wrong)])
    with pytest.raises(DataError, match="No images in"):
        scan_images([str(scenes)], recursive=False)


def test_statistics_name_what_has_no_header(scenes: Path) -> None:
    (scenes / "sea" / "broken.jpg").write_bytes(b"not a picture")
    found = image_statistics(scan_folder(str(scenes)))
    sea = found.classes["sea"]
    assert (sea.images, sea.height_min, sea.height_max, sea.width_min, sea.width_max) == (6, 20, 25, 24, 24)
    assert sea.height_mean == pytest.approx(22.5)
    assert [os.path.basename(path) for path in found.unreadable] == ["broken.jpg"]


def test_statistics_of_the_intel_scenes(intel_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minimum heights of glacier and forest are the paper's."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path))
    found = image_statistics(scan_folder(str(intel_dir / "seg_train"))).classes
    assert found["glacier"].height_min == 76 and found["forest"].height_min == 108
    assert {(one.width_min, one.width_max) for one in found.values()} == {(150, 150)}
    assert sum(one.images for one in found.values()) == 8741


def test_a_second_look_at_a_large_folder_opens_no_file(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(statistics, "_WORTH_KEEPING", 1)
    table = scan_folder(str(scenes))
    first = image_statistics(table)
    (kept,) = (tmp_path / "cache").iterdir()
    with monkeypatch.context() as closed:
        closed.setattr(statistics, "image_size", lambda path: pytest.fail(f"{path} was opened"))
        assert image_statistics(table) == first
    whole = kept.read_bytes()
    for damage in (b"", whole[:-3], b"\x80\x04pickle", whole.replace(b"<i8", b"<f8")):
        kept.write_bytes(damage)
        assert image_statistics(table) == first
        assert kept.read_bytes() == whole
    Image.new("RGB", (99, 77)).save(table.paths[0])
    assert image_statistics(table).classes != first.classes


def test_statistics_need_no_place_to_keep_anything(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(statistics, "_WORTH_KEEPING", 1)
    assert image_statistics(scan_folder(str(scenes))).classes["sea"].images == 6
