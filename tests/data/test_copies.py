"""Files with equal content stay on one side of every division; without any, divisions are as they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scene_lightning.data.balance import stratified_folds
from scene_lightning.data.copies import find_copies
from scene_lightning.data.scan import scan_folder, split_table
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

HELD_OUT = ["forest/004.jpg", "forest/005.jpg", "sea/002.jpg", "sea/004.jpg"]
FOLDS = [[1, 5, 6, 7], [0, 4, 10, 11], [2, 3, 8, 9]]


def table_of(folder: Path, counts: dict[str, int]) -> ImageTable:
    """Class folders with files that differ in content; as many bytes in each, so that only the content tells."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number:03}.jpg").write_text(f"{name:>10}{number:>10}")
    return scan_folder(str(folder))


def copy(folder: Path, original: str, *to: str) -> None:
    for one in to:
        shutil.copy(folder / original, folder / one)


def test_copies_are_found_by_content(tmp_path: Path) -> None:
    table_of(tmp_path, {"sea": 4, "forest": 3})
    copy(tmp_path, "sea/001.jpg", "sea/x.jpg", "forest/y.jpg")
    (tmp_path / "sea" / "gone.jpg").symlink_to("nowhere")
    paths = [
        str(tmp_path / name) for name in ("sea/000.jpg", "sea/001.jpg", "sea/gone.jpg", "forest/y.jpg", "sea/x.jpg")
    ]
    assert find_copies(paths) == [[1, 3, 4]]
    assert find_copies(paths[:2]) == []


def test_divisions_without_copies_are_what_they_always_were(tmp_path: Path) -> None:
    """Recorded with the version before copies were looked for."""
    table = table_of(tmp_path, {"forest": 7, "sea": 5})
    held_out = split_table(table, 0.3, seed=4)[1].paths
    assert [path[len(str(tmp_path)) + 1 :] for path in held_out] == HELD_OUT
    assert [rows.tolist() for rows in stratified_folds(table, 3, seed=4)] == FOLDS


@pytest.mark.parametrize("seed", range(6))
def test_copies_never_fall_on_both_sides(tmp_path: Path, seed: int) -> None:
    table_of(tmp_path, {"forest": 20, "sea": 20})
    copy(tmp_path, "forest/003.jpg", "forest/a.jpg", "forest/b.jpg", "sea/c.jpg")
    copy(tmp_path, "sea/007.jpg", "sea/d.jpg")
    copy(tmp_path, "sea/011.jpg", "forest/e.jpg")
    table = scan_folder(str(tmp_path))
    groups = find_copies(table.paths)
    assert sorted(map(len, groups)) == [2, 2, 4]
    sides = [set(part.paths) for part in split_table(table, 0.25, seed)]
    folds = [{table.paths[row] for row in rows} for rows in stratified_folds(table, 5, seed)]
    assert sum(map(len, sides)) == sum(map(len, folds)) == len(table)
    for group in groups:
        paths = {table.paths[position] for position in group}
        assert any(paths <= side for side in sides)
        assert any(paths <= fold for fold in folds)
    assert len(sides[1]) == 12  # a quarter of 23 and of 22: the sizes are kept
    assert {len(fold) for fold in folds} == {9}


def test_too_few_different_images_are_told(tmp_path: Path) -> None:
    table_of(tmp_path, {"forest": 9, "sea": 1})
    copy(tmp_path, "sea/000.jpg", "sea/a.jpg", "sea/b.jpg")
    table = scan_folder(str(tmp_path))
    for divide in (lambda: split_table(table, 0.3), lambda: stratified_folds(table, 3, 0)):
        with pytest.raises(DataError, match=r"Class 'sea' in .* too few different images .*`scene-lightning check "):
            divide()
    assert np.bincount(table.labels).tolist() == [9, 3]
