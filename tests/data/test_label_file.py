"""The forms of labels.csv, and what is said of a file that is none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scene_lightning.data.label_file import label_file, read_label_file
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError


def label_table(folder: Path, text: str) -> ImageTable:
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "labels.csv").write_text(text)
    file = label_file(folder)
    assert file is not None
    return read_label_file(file)[0]


@pytest.mark.parametrize(
    "text",
    [
        "image_name,tags\na,red round\nb,\n",
        "path,labels\na.jpg,red;round\nb.jpg,\n",
        'filename,labels\na.jpg,"red, round"\nb.jpg,\n',
        "image,labels\na.jpg,red|round\nb.jpg,\n",
        "id,red,round\na,1,1\nb,0,0\n",
    ],
)
def test_forms_of_label_files(text: str, tmp_path: Path) -> None:
    table = label_table(tmp_path, text)
    assert table.class_names == ["red", "round"] and [Path(path).name for path in table.paths] == ["a.jpg", "b.jpg"]
    assert table.targets is not None and table.targets.tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,labels\nc.jpg,red;round\n", "line 2: no image 'c.jpg'"),
        ("path,labels\na.jpg,red;round\na.jpg,red\n", "line 3: 'a.jpg' is there twice"),
        ("path,height,width\na.jpg,3,4\n", "unclear what the labels are: the column 'height'"),
        ("path,labels\na.jpg,red\n", "names 1 labels"),
        ("path,red;pink,round\na.jpg,0,1\n", "names without ';'"),
        ("path,labels,split\na.jpg,red;round,later\n", "line 2: expected train or val"),
    ],
)
def test_unclear_label_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        label_table(tmp_path, text)


def test_an_overlay_is_no_label_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("hash,action,label,path\n1,relabel,sea,a.jpg\n")
    assert label_file(tmp_path) is None
