"""`evaluate --mistakes`: the table, the sheets and the page of what a model got wrong."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.inference import mistakes
from scene_lightning.reports.contact_sheet import wrapped
from scene_lightning.reports.fonts import font_for
from tests.inference.conftest import COLOURS, coloured_picture


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """labelled/<class>: three right ones a class, and in red two that are green and one that is blue."""
    for name in ("red", "green"):
        (tmp_path / "labelled" / name).mkdir(parents=True)
        for number in range(3):
            coloured_picture(tmp_path / "labelled" / name / f"{number}.png", name, number)
    coloured_picture(tmp_path / "labelled/red/barely green.png", "green", 10, 0.3)
    coloured_picture(tmp_path / "labelled/red" / ("green_" * 12 + ".png"), "green", 11, 1.0)
    coloured_picture(tmp_path / "labelled/red/blue.png", list(COLOURS)[2], 12, 0.6)
    return tmp_path / "labelled"


def test_mistakes_are_written_surest_first(
    colour_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "wrong"
    assert cli.run(["evaluate", str(colour_model), str(labelled), "--mistakes", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["mistakes"] == {"folder": str(folder), "images": 3}
    with open(folder / "mistakes.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "true", "predicted", "probability", "true_probability", *COLOURS]
    assert [Path(row["path"]).name for row in rows] == ["green_" * 12 + ".png", "blue.png", "barely green.png"]
    for row in rows:
        assert row["true"] == "red" and row["true_probability"] == row["red"]
        assert row["probability"] == row[row["predicted"]] and row["predicted"] != "red"
    sheets = ["surest.jpg", "by_class/red.jpg"]
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"mistakes.csv", "index.html", *sheets}
    for sheet in sheets:
        with Image.open(folder / sheet) as image:
            pixels = np.asarray(image.convert("L")).astype(int)
        assert (pixels[:, [0, -1]] > 240).all() and (pixels[[0, -1]] > 240).all(), "nothing touches the edge"
    assert not list(tmp_path.glob(".*partial"))


def test_the_page_of_mistakes_has_heat_maps(
    colour_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(colour_model), str(labelled), "--explain"]
    assert cli.run(words) == 2 and "--mistakes DIR: give that too" in capsys.readouterr().err
    pytest.importorskip("captum", reason="captum is not installed: pip install captum")
    assert cli.run([*words, "--mistakes", str(tmp_path / "wrong")]) == 0
    page = (tmp_path / "wrong" / "index.html").read_text(encoding="utf-8")
    maps = re.search(r'"heatMaps": ?(\[.*?\])', page)
    assert maps is not None and len(json.loads(maps[1])) == 3 and all(json.loads(maps[1]))


def test_a_model_without_mistakes(colour_model: Path, labelled: Path, tmp_path: Path) -> None:
    for path in labelled.glob("red/*[a-z]*.png"):
        if path.stem not in "012":
            path.unlink()
    (tmp_path / "wrong").mkdir()
    assert cli.run(["evaluate", str(colour_model), str(labelled), "--mistakes", str(tmp_path / "wrong")]) == 0
    assert {path.name for path in (tmp_path / "wrong").iterdir()} == {"mistakes.csv", "index.html"}


def test_a_folder_that_is_not_new_is_refused_before_anything_slow(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, message in (
        (labelled, "is not empty"),
        (labelled / "red/0.png", "a file"),
        (tmp_path / "a/b", "Make it"),
    ):
        assert cli.run(["evaluate", "nothing.keras", str(labelled), "--mistakes", str(folder)]) == 2
        assert message in capsys.readouterr().err


def test_an_interruption_leaves_nothing(
    colour_model: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mistakes, "_draw_sheets", interrupted)
    before = sorted(tmp_path.iterdir())
    assert cli.run(["evaluate", str(colour_model), str(labelled), "--mistakes", str(tmp_path / "wrong")]) == 130
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "text", ["short", "a_very_long_name_without_a_space_" * 5, "words and words " * 9, "", "Ж" * 90]
)
def test_captions_are_wrapped_never_cut(text: str) -> None:
    lines = wrapped(text, font_for(text, 14), 220)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(font_for(text, 14).getlength(line) <= 220 for line in lines)
